const bytes = (...values) => new Uint8Array(values);
export const handler = async () => {
  let fatal;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes(0xff));
  } catch (error) {
    fatal = error.name;
  }
  const target = new Uint8Array(4);
  const into = new TextEncoder().encodeInto("é😀", target);
  const streaming = new TextDecoder();
  const half = streaming.decode(bytes(0xe2, 0x82), { stream: true }) + streaming.decode(bytes(0xac));
  return {
    encoded: [...new TextEncoder().encode("aé😀")],
    into,
    decoded: new TextDecoder().decode(bytes(0xef, 0xbb, 0xbf, 0x61, 0xff)),
    latin: new TextDecoder("windows-1252").decode(bytes(0x80, 0xe9)),
    wide: new TextDecoder("utf-16le").decode(bytes(0x61, 0, 0x3d, 0xd8, 0, 0xde)),
    half,
    fatal,
  };
};
