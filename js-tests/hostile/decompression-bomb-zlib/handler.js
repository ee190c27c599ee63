// 400 MB of nothing in 400 KB, in one piece.
import { createGunzip } from "node:zlib";

export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const zeros = new Uint8Array(1 << 20);
  const pack = new CompressionStream("gzip");
  const packed = new Response(pack.readable).arrayBuffer();
  const writer = pack.writable.getWriter();
  for (let i = 0; i < 400; i++) await writer.write(zeros);
  await writer.close();
  const unpack = createGunzip();
  unpack.end(new Uint8Array(await packed));
  let bytes = 0;
  for await (const part of unpack) bytes += part.length;
  return String(bytes);
};
