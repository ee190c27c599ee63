// Runs once, on top of the base snapshot, for the one that functions of the web start from: makes
// what they look at and compiles what they commonly call. Making and compiling all that `Response`
// rests on would take a cold start milliseconds. Leaves nothing behind but that.
((globalThis) => {
  "use strict";
  // What the console does with values; the console itself cannot be made here.
  for (const value of ["text", { a: 1, b: { c: [null] } }, [1, "b"], 5, 1n, null, undefined, true, new Error("x")]) {
    globalThis.__isle.unhandled(value);
  }

  const url = new URL("https://user@example.org:8080/a/b?c=d&e=f#g");
  for (const key in url) void url[key];
  url.searchParams.get("c");
  url.searchParams.set("c", "x");
  url.toString();
  URL.canParse("/a", url);
  new URLSearchParams("a=b&c=d").getAll("a");
  for (const pair of new URLSearchParams({ a: "b" })) void pair;

  const controller = new AbortController();
  controller.signal.addEventListener("abort", () => {}, { once: true });
  controller.abort();
  void controller.signal.reason.name;
  structuredClone({ a: [1, new Map([[1, new Set("a")]])], d: new Date(0) });
  void crypto.subtle;

  const bytes = new TextEncoder().encode("text");
  new TextDecoder().decode(bytes);
  const headers = new Headers({ a: "b" });
  headers.set("c", "d");
  headers.append("e", "f");
  headers.delete("c");
  void [headers.get("a"), headers.has("a"), [...headers], new Headers(headers), new Headers([["a", "b"]])];
  const response = new Response("text", { status: 201, headers });
  void [response.status, response.statusText, response.ok, response.headers.get("a"), response.body];
  // As middleware for ETags does.
  const copy = response.clone();
  const reader = copy.body.getReader();
  reader.read().then(() => reader.read());
  response.arrayBuffer();
  crypto.subtle.digest("SHA-1", bytes);
  crypto.subtle.digest({ name: "SHA-256" }, bytes.buffer);
  Response.json({ a: 1 }).json();
  new Response(bytes).arrayBuffer();
  const request = new Request(url.href.replace("user@", ""), { method: "POST", headers, body: "text" });
  void [request.url, request.method, request.headers, request.signal, request.clone()];
  request.text();
  const stream = new ReadableStream({ start: (controller) => controller.enqueue(bytes), pull: (controller) => controller.close() });
  stream.getReader().read();
})(globalThis);
