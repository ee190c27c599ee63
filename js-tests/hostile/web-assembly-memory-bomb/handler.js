export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const hoard = [];
  for (;;) {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 16_384 });
    memory.grow(1_000);
    new Uint8Array(memory.buffer).fill(1);
    hoard.push(memory);
  }
};
