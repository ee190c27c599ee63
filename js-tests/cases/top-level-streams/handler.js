const source = new ReadableStream({
  pull(controller) {
    controller.enqueue("chunk");
  },
}, { highWaterMark: 0 });
const reader = source.getReader();
const shout = () => new TransformStream({ transform: (chunk, out) => out.enqueue(chunk.toUpperCase()) });

export const handler = async () => {
  const { value } = await reader.read();
  const loud = new ReadableStream({ start: (c) => { c.enqueue("quiet"); c.close(); } }).pipeThrough(shout());
  return { value, loud: await Array.fromAsync(loud) };
};
