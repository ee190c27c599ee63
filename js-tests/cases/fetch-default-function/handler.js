export default function (request, env, ctx) {
  return new Response([request instanceof Request, typeof env, typeof ctx.waitUntil].join(" "));
}
