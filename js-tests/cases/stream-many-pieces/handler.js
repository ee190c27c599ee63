// More pieces and more bytes than any window holds.
export default {
  fetch: () => {
    let n = 0;
    return new Response(new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(1000).fill(48 + n % 10));
        if (++n === 1000) controller.close();
      },
    }));
  },
};
