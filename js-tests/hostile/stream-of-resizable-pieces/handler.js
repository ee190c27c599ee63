// Longer than a window, and shorter while it is being sent.
export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  return new Response(new ReadableStream({
    start(controller) {
      const buffer = new ArrayBuffer(1 << 20, { maxByteLength: 2 << 20 });
      controller.enqueue(new Uint8Array(buffer));
      setTimeout(() => {
        buffer.resize(10);
        controller.close();
      }, 5);
    },
  }));
}
