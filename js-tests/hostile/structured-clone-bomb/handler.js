const bytes = new Uint8Array(4 << 20).fill(1);
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const hoard = [];
  for (;;) hoard.push(structuredClone(bytes));
};
