// More than any client reads, and without a look at what is wanted.
export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  return new Response(new ReadableStream({
    start(controller) {
      setInterval(() => controller.enqueue(new Uint8Array(16 << 20).fill(1)), 1);
    },
  }));
}
