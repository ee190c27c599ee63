export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  throw new Error("m".repeat(100 << 20));
};
