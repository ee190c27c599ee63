const fixed = new Uint8Array([1, 2, 3]);
const growing = new ArrayBuffer(4, { maxByteLength: 64 });
const view = new DataView(growing);
view.setInt16(0, -5);
const large = new Float64Array(100_000).fill(0.5);
const gone = new ArrayBuffer(8);
const moved = gone.transfer(16);

export const handler = () => {
  if (growing.byteLength < 32) growing.resize(32);
  return {
    fixed: [...fixed], growing: [growing.byteLength, growing.resizable, view.getInt16(0)],
    sum: large.reduce((a, b) => a + b), gone: gone.detached, moved: moved.byteLength,
  };
};
