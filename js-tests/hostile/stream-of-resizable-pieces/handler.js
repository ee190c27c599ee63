// Many windows long, and shorter while it is being sent.
export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  return new Response(new ReadableStream({
    start(controller) {
      const buffer = new ArrayBuffer(64 << 20, { maxByteLength: 64 << 20 });
      controller.enqueue(new Uint8Array(buffer));
      setTimeout(() => {
        buffer.resize(10);
        controller.close();
      }, 1);
    },
  }));
}
