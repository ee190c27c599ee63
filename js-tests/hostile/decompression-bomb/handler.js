// 400 MB of nothing in 400 KB.
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const zeros = new Uint8Array(1 << 20);
  const pack = new Response(new ReadableStream({
    start(controller) {
      for (let i = 0; i < 400; i++) controller.enqueue(zeros);
      controller.close();
    },
  }).pipeThrough(new CompressionStream("gzip")));
  const packed = await pack.arrayBuffer();
  const unpacked = new Response(packed).body.pipeThrough(new DecompressionStream("gzip"));
  return String((await new Response(unpacked).arrayBuffer()).byteLength);
};
