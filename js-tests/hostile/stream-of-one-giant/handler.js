export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  return new Response(new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(64 << 20));
      controller.close();
    },
  }));
}
