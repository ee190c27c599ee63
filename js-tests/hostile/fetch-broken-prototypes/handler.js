// Whatever of the platform can be taken apart is, before the first request.
new Response(new ReadableStream()), new Request("http://a/"), new Headers();
const all = [Array, Map, String, Promise, ReadableStream, Response, Request, Headers];
const { defineProperty } = Object, { ownKeys } = Reflect;
for (let i = 0; i < all.length; i++) {
  const keys = ownKeys(all[i].prototype);
  for (let k = 0; k < keys.length; k++) {
    const key = keys[k];
    if (key === "constructor" || key === "length" || key === "endsWith" || key === "url") continue;
    try {
      defineProperty(all[i].prototype, key, { value: () => { throw new Error("broken"); }, configurable: true });
    } catch {}
  }
}
export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  return new Response("answered", { headers: { "x-a": "b" } });
}
