const through = async (body, stream) => new Uint8Array(await new Response(new Response(body).body.pipeThrough(stream)).arrayBuffer());
export const handler = async () => {
  const text = "again and ".repeat(500);
  const results = {};
  for (const format of ["gzip", "deflate", "deflate-raw"]) {
    const packed = await through(text, new CompressionStream(format));
    const unpacked = await through(packed, new DecompressionStream(format));
    for (const length of [0, packed.length >> 1, packed.length - 1]) {
      const outcome = await through(packed.slice(0, length), new DecompressionStream(format)).catch((error) => error.name);
      if (outcome !== "TypeError") results[`${format} cut at ${length}`] = outcome;
    }
    results[format] = packed.length < 200 && new TextDecoder().decode(unpacked) === text;
  }
  const broken = await through("no gzip", new DecompressionStream("gzip")).catch((error) => error.name);
  return { ...results, broken };
};
