// Bodies that are made while they are sent.
const encoder = new TextEncoder();
const of = (...parts) => new ReadableStream({
  start(controller) {
    for (const part of parts) controller.enqueue(encoder.encode(part));
    controller.close();
  },
});
const kinds = {
  ready: () => of("a", "", "b"),
  pulled: () => {
    let n = 0;
    return new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        controller.enqueue(encoder.encode(String(n)));
        if (++n === 5) controller.close();
      },
    });
  },
  bytes: () => new ReadableStream({
    type: "bytes",
    pull(controller) {
      controller.enqueue(encoder.encode("bytes"));
      controller.close();
    },
  }),
  piped: () => of("pi", "ped").pipeThrough(new TextDecoderStream()).pipeThrough(new TransformStream({
    transform: (text, controller) => controller.enqueue(text.toUpperCase()),
  })).pipeThrough(new TextEncoderStream()),
  written: () => {
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    (async () => {
      for (const part of ["wri", "tten"]) await writer.write(encoder.encode(part));
      await writer.close();
    })();
    return readable;
  },
  tee: () => of("tee").tee()[1],
  from: () => ReadableStream.from([encoder.encode("fr"), encoder.encode("om")]),
  empty: () => of(),
  compressed: () => of("x".repeat(1000)).pipeThrough(new CompressionStream("gzip")),
};
export default {
  fetch(request) {
    const kind = new URL(request.url).pathname.slice(1);
    return new Response(kinds[kind](), { headers: kind === "compressed" ? { "content-encoding": "gzip" } : {} });
  },
};
