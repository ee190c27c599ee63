// Grows in place, past an allocator that only counts what is asked of it.
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const buffer = new ArrayBuffer(1 << 20, { maxByteLength: 2 ** 31 });
  const bytes = new Uint8Array(buffer);
  for (let size = 1 << 20; size <= 2 ** 31; size += 16 << 20) {
    buffer.resize(size);
    bytes.fill(1, Math.max(0, size - (16 << 20)));
  }
};
