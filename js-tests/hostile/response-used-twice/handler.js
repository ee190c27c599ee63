const kept = new Response("kept");
export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  return kept;
}
