export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return String(new Uint8Array(4_000_000_000).fill(1).length);
};
