export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  return new Proxy(new Response("behind a proxy"), {
    get(target, key) {
      if (typeof key === "symbol") return target[key];
      throw new Error(`get ${String(key)}`);
    },
  });
}
