const numbers = () =>
  new ReadableStream({
    start(controller) {
      for (const n of [1, 2, 3]) controller.enqueue(n);
      controller.close();
    },
  });
export const handler = async () => {
  const doubled = [];
  const doubler = new TransformStream({ transform: (n, controller) => controller.enqueue(n * 2) });
  for await (const n of numbers().pipeThrough(doubler)) doubled.push(n);
  const [left, right] = numbers().tee();
  const taken = await Promise.all([left, right].map((stream) => Array.fromAsync(stream)));
  const written = [];
  await numbers().pipeTo(new WritableStream({ write: (n) => void written.push(n) }));
  let pulled = 0;
  const text = await new Response(
    new ReadableStream({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode("piece "));
        if (++pulled === 3) controller.close();
      },
    }),
  ).text();
  const decoded = [];
  const bytes = new Response("schön").body.pipeThrough(new TextDecoderStream());
  for await (const piece of bytes) decoded.push(piece);
  return { doubled, taken, written, text: text.startsWith("piece "), decoded: decoded.join("") };
};
