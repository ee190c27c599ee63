export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  ctx.waitUntil(new Promise((resolve) => setTimeout(resolve, 5)).then(() => { for (;;); }));
  return new Response("answered");
}
