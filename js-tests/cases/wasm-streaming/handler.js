// (module (func (export "f") (result i32) i32.const 42))
const BYTES = Uint8Array.from(
  atob("AGFzbQEAAAABBQFgAAF/AwIBAAcFAQFmAAAKBgEEAEEqCw=="),
  (character) => character.charCodeAt(0),
);
const wasm = (body, type = "application/wasm", status = 200) => new Response(body, { status, headers: { "content-type": type } });
const name = (promise) => promise.then(() => "done", (error) => error.name);
const pieces = () => new ReadableStream({
  start(controller) {
    for (const byte of BYTES) controller.enqueue(Uint8Array.of(byte));
    controller.close();
  },
});

export const handler = async () => {
  const { instance } = await WebAssembly.instantiateStreaming(wasm(BYTES));
  const module = await WebAssembly.compileStreaming(Promise.resolve(wasm(pieces())));
  const used = wasm(BYTES);
  await used.arrayBuffer();
  return {
    answer: instance.exports.f(),
    exports: WebAssembly.Module.exports(module),
    refused: await Promise.all([
      name(WebAssembly.compileStreaming(wasm(BYTES, "text/plain"))),
      name(WebAssembly.compileStreaming(wasm(BYTES, "application/wasm", 404))),
      name(WebAssembly.compileStreaming(wasm("no module"))),
      name(WebAssembly.compileStreaming(wasm(null))),
      name(WebAssembly.compileStreaming(used)),
      name(WebAssembly.compileStreaming({})),
      name(WebAssembly.compileStreaming(Promise.reject(new RangeError("x")))),
    ]),
  };
};
