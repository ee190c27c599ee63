// A Blob's bytes live outside V8.
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const hoard = [];
  const bytes = new Uint8Array(4 << 20).fill(1);
  for (;;) hoard.push(new Blob([bytes]));
};
