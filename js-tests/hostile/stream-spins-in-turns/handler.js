// Each turn is short; all of them together are not.
export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  return new Response(new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      for (const until = Date.now() + 50; Date.now() < until;);
      controller.enqueue(new Uint8Array(1));
    },
  }));
}
