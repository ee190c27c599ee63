// `WebAssembly.compileStreaming` and `instantiateStreaming`:
// https://webassembly.github.io/spec/web-api/#compile-a-potential-webassembly-response
(function () {
const { core, primordials } = __bootstrap;
const { StringPrototypeToLowerCase, TypeError, Uint8Array } = primordials;
const { op_wasm_streaming_feed, op_wasm_streaming_set_url } = core.ops;
const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");
core.loadExtScript("ext:deno_fetch/23_response.js");

async function feed(response, rid) {
  const type = response.headers.get("content-type");
  if (type === null || StringPrototypeToLowerCase(type) !== "application/wasm") {
    throw new TypeError("Invalid WebAssembly content type");
  }
  if (!response.ok) throw new TypeError(`WebAssembly content came with HTTP status ${response.status}`);
  if (response.bodyUsed || response.body?.locked) throw new TypeError("the response's body has been used");
  op_wasm_streaming_set_url(rid, response.url);
  if (response.body === null) return;
  const reader = response.body.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    if (!(value instanceof Uint8Array)) throw new TypeError("the body has a piece that is not bytes");
    op_wasm_streaming_feed(rid, value);
  }
}

async function compileStreaming(source, rid) {
  try {
    await feed(webidl.converters.Response(source, "WebAssembly.compileStreaming", "Argument 1"), rid);
    core.close(rid);
  } catch (error) {
    core.abortWasmStreaming(rid, error);
  }
}

return { compileStreaming };
})();
