export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  return new Response(new ReadableStream({
    start(controller) {
      const piece = new Uint8Array(100);
      controller.enqueue(piece);
      structuredClone(piece.buffer, { transfer: [piece.buffer] });
      controller.close();
    },
  }));
}
