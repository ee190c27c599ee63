export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  return new Response(new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      controller.enqueue(new Uint8Array(1));
    },
  }));
}
