// Nobody wants the body of an answer to HEAD: its source is cancelled.
export default {
  fetch: () => new Response(new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(10)),
    cancel: (reason) => console.log(`cancelled: ${reason.message}`),
  }), { headers: { "content-type": "text/x" } }),
};
