export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  for (let i = 0; i < 1_000; i++) ctx.waitUntil(Promise.reject(new Error("x".repeat(100))));
  return new Response("answered");
}
