// When a pipe writes, when a sink has started, and when the readers of bytes are told.
export const handler = async () => {
  const order = [];
  let source;
  const readable = new ReadableStream({ start: (controller) => void (source = controller) }, { highWaterMark: 0 });
  const piped = readable.pipeTo(new WritableStream({ write: (chunk) => void order.push(chunk) }));
  await undefined;
  source.enqueue("written");
  order.push("enqueued");
  source.close();
  await piped;

  // A chunk that is on its way when the pipe is stopped still arrives.
  const stop = new AbortController();
  const arrived = [];
  let second;
  const stopped = new ReadableStream({ start: (controller) => void (second = controller) }, { highWaterMark: 0 })
    .pipeTo(new WritableStream({ write: (chunk) => void arrived.push(chunk) }), { signal: stop.signal, preventAbort: true });
  await undefined;
  second.enqueue("last");
  stop.abort();
  await stopped.catch((error) => arrived.push(error.name));

  let transformer;
  const failing = new TransformStream({
    start: (controller) => void (transformer = controller),
    cancel: async () => transformer.error(new Error("cancelled")),
  });
  const told = await Promise.allSettled([failing.readable.cancel(), failing.writable.close()]);

  let bytes;
  const reader = new ReadableStream({ type: "bytes", start: (controller) => void (bytes = controller) })
    .getReader({ mode: "byob" });
  const reads = [reader.read(new Uint8Array(2)), reader.read(new Uint16Array(1))];
  bytes.enqueue(new Uint8Array([1, 2, 3, 4, 5]));
  const values = (await Promise.all(reads)).map(({ value }) => [value.constructor.name, value.length]);
  const rest = (await reader.read(new Uint8Array(8))).value.length;
  const letters = await Array.fromAsync(ReadableStream.from("ab"));
  return { letters, order, arrived, told: told.map(({ reason }) => reason?.message ?? null), values, rest };
};
