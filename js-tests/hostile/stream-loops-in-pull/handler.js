export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  return new Response(new ReadableStream({
    pull(controller) {
      if (this.begun) for (;;);
      this.begun = true;
      controller.enqueue(new Uint8Array(1));
    },
  }));
}
