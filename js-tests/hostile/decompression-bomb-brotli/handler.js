// A gigabyte of nothing in a kilobyte, in one piece.
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const zeros = new Uint8Array(1 << 20);
  const pack = new CompressionStream("brotli"), unpack = new DecompressionStream("brotli");
  const packed = new Response(pack.readable).arrayBuffer();
  const writer = pack.writable.getWriter();
  for (let i = 0; i < 1_024; i++) await writer.write(zeros);
  await writer.close();
  const into = unpack.writable.getWriter();
  into.write(await packed);
  into.close();
  return String((await new Response(unpack.readable).arrayBuffer()).byteLength);
};
