export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  return new Response("x", { headers: { "x-a": "b\r\nset-cookie: c=d" } });
}
