// The inside of a Response, made of something else.
export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  const model = new Response(new ReadableStream());
  const forged = Object.create(Response.prototype);
  for (const key of Object.getOwnPropertySymbols(model)) {
    Object.defineProperty(forged, key, { get: () => globalThis });
  }
  return forged;
}
