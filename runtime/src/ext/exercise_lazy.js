// Runs once, after the base snapshot has been made, so that code caches of the scripts that are
// not in it know what functions commonly use of them.
(async (globalThis) => {
  "use strict";
  const encoder = new TextEncoder();
  const bytes = encoder.encode("text \u00e9 \u{1f600}");
  encoder.encodeInto("text", new Uint8Array(8));
  new TextDecoder().decode(bytes);
  new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
  atob(btoa("text"));

  const buffer = Buffer.concat([Buffer.from("text"), Buffer.from("dGV4dA==", "base64")]);
  void [buffer.toString("base64"), buffer.toString("hex"), process.env.NAME, process.version];

  const headers = new Headers({ "content-type": "text/plain", a: "b" });
  headers.set("c", "d");
  headers.append("set-cookie", "e=f");
  headers.getSetCookie();
  headers.has("a");
  headers.get("a");
  headers.delete("a");
  for (const [name, value] of headers) void `${name}: ${value}`;
  headers.forEach(() => {});
  new Headers([["a", "b"]]);
  new Headers(headers);

  const made = (body) => new Response(body, { status: 201, statusText: "Made", headers: { a: "b" } });
  const response = made("text");
  void [response.status, response.ok, response.statusText, response.url, response.type, response.redirected];
  response.headers.get("a");
  void response.body;
  response.clone();
  await made("text").text();
  await made('{"a":1}').json();
  await made(bytes).arrayBuffer();
  await made(bytes).bytes();
  await made(new Blob(["text"])).blob();
  await made(new URLSearchParams("a=b")).formData();
  await Response.json({ a: 1 }).json();
  Response.redirect("https://example.org/", 302);
  Response.error();
  made(null);

  const asked = (init) => new Request("https://example.org/a?b=c", init);
  const request = asked({ method: "POST", headers: { a: "b" }, body: "text" });
  void [request.url, request.method, request.signal, request.body, request.bodyUsed, request.headers];
  request.clone();
  await request.text();
  await asked({ method: "PUT", body: '{"a":1}' }).json();
  new Request(asked(), { headers });

  // There is nobody to ask here: this compiles the way to the question, the first the way back.
  const fetched = await fetch("data:text/plain,text");
  void [fetched.url, fetched.ok, fetched.headers.get("content-type")];
  await fetched.text();
  await fetch("http://localhost/", { method: "POST", headers: { a: "b" }, body: "text" }).catch(() => {});

  const form = new FormData();
  form.append("a", "b");
  form.append("file", new File(["text"], "name.txt", { type: "text/plain" }));
  form.get("a");
  for (const pair of form) void pair;
  await (await new Response(form).formData()).get("file").text();

  const source = () =>
    new ReadableStream({
      start(controller) {
        controller.enqueue(bytes);
      },
      pull(controller) {
        controller.close();
      },
      cancel() {},
    });
  for await (const chunk of source()) void chunk;
  const reader = source().getReader();
  await reader.read();
  await reader.cancel();
  reader.releaseLock();
  const [left, right] = source().tee();
  await Promise.all([new Response(left).text(), new Response(right).arrayBuffer()]);
  const upper = new TransformStream({
    transform(chunk, controller) {
      controller.enqueue(chunk.toUpperCase());
    },
  });
  const through = source().pipeThrough(new TextDecoderStream()).pipeThrough(upper).pipeThrough(new TextEncoderStream());
  await new Response(through).text();
  await source().pipeTo(new WritableStream({ write() {} }));
  const { readable, writable } = new TransformStream();
  const writer = writable.getWriter();
  const written = writer.write(bytes).then(() => writer.close());
  await new Response(readable).bytes();
  await written;
  const zipped = source().pipeThrough(new CompressionStream("gzip")).pipeThrough(new DecompressionStream("gzip"));
  await new Response(zipped).text();
  const pulled = new ReadableStream({
    type: "bytes",
    pull(controller) {
      controller.enqueue(new Uint8Array(1));
      controller.close();
    },
  });
  await new Response(pulled).bytes();

  // As a verifier of tokens does.
  const jwk = { kty: "oct", k: "c2VjcmV0", alg: "HS256" };
  await crypto.subtle.importKey("jwk", jwk, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);

  const pattern = new URLPattern({ pathname: "/a/:b" });
  pattern.test("https://example.org/a/c");
  pattern.exec({ pathname: "/a/c" });
  await new Promise((resolve) => {
    const file = new FileReader();
    file.onload = resolve;
    file.readAsText(new Blob(["text"]));
  });
})(globalThis)
