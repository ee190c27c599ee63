export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  return new Response(new ReadableStream({
    start(controller) {
      for (;;) controller.enqueue(new Uint8Array(1 << 16).fill(1));
    },
  }));
}
