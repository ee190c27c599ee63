export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return Array.from({ length: 50 }, () => "x".repeat(1 << 20));
};
