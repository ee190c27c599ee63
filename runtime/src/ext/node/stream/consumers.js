// node:stream/consumers
(() => {
  const { Buffer } = __bootstrap.node("buffer");
  const buffer = async (stream) => {
    const chunks = [];
    for await (const chunk of stream) chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
    return Buffer.concat(chunks);
  };
  const text = async (stream) => (await buffer(stream)).toString();
  return {
    buffer,
    text,
    json: async (stream) => JSON.parse(await text(stream)),
    arrayBuffer: async (stream) => new Uint8Array(await buffer(stream)).buffer,
    blob: async (stream) => new Blob([await buffer(stream)]),
  };
})()
