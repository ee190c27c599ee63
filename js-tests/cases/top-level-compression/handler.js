const squeeze = new CompressionStream("gzip");
const writer = squeeze.writable.getWriter();
let whole;

export const handler = async () => {
  whole ??= (async () => {
    const done = new Response(squeeze.readable.pipeThrough(new DecompressionStream("gzip"))).text();
    await writer.write(new TextEncoder().encode("squeezed"));
    await writer.close();
    return done;
  })();
  return { text: await whole };
};
