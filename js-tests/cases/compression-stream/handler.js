const through = async (body, stream) => new Uint8Array(await new Response(new Response(body).body.pipeThrough(stream)).arrayBuffer());
export const handler = async () => {
  const text = "again and ".repeat(500);
  const results = {};
  for (const format of ["gzip", "deflate", "deflate-raw"]) {
    const packed = await through(text, new CompressionStream(format));
    const unpacked = await through(packed, new DecompressionStream(format));
    results[format] = packed.length < 200 && new TextDecoder().decode(unpacked) === text;
  }
  const broken = await through("no gzip", new DecompressionStream("gzip")).catch((error) => error.name);
  return { ...results, broken };
};
