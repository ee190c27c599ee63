// Each way to make a Response.
const bytes = () => new Uint8Array([0, 1, 255]);
const kinds = {
  text: () => new Response("\u00e4\ud800"),
  bytes: () => new Response(bytes()),
  buffer: () => new Response(bytes().buffer, { headers: { "Content-Type": "image/png" } }),
  params: () => new Response(new URLSearchParams({ a: "1 2" })),
  blob: () => new Response(new Blob(["<p>"], { type: "text/html" })),
  json: () => Response.json({ a: 1 }),
  created: () => Response.json({ a: 1 }, { status: 201, headers: { "x-a": "b" } }),
  redirect: () => Response.redirect("https://example.com/a b", 307),
  empty: () => new Response(),
  none: () => new Response(null, { status: 204, headers: { "x-a": "b" } }),
  unmodified: () => new Response(null, { status: 304, headers: { etag: '"x"' } }),
  cookies: () => {
    const response = new Response("c");
    response.headers.append("Set-Cookie", "a=1; Path=/");
    response.headers.append("Set-Cookie", "b=2, 3");
    response.headers.append("vary", "a");
    response.headers.append("vary", "b");
    return response;
  },
  teapot: () => new Response("t", { status: 418, statusText: "I'm a teapot" }),
  rewrapped: () => new Response(new Response("same").body, { status: 203 }),
  cloned: () => new Response("clone").clone(),
  latin: () => new Response("", { headers: { "x-latin": "\u00e9" } }),
  length: () => new Response("four", { headers: { "content-length": "9", connection: "close", "transfer-encoding": "x" } }),
};
export default { fetch: async (request) => kinds[new URL(request.url).pathname.slice(1)]() };
