export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  for (let i = 0; i < 1_000; i++) ctx.waitUntil(new Promise(() => {}));
  return new Response("answered");
}
