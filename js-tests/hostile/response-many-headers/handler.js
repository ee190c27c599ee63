export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  const response = new Response("x");
  for (let i = 0; i < 5_000; i++) response.headers.append(`x-${i}`, "y".repeat(100));
  return response;
}
