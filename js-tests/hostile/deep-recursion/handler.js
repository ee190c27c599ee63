export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const down = (n) => down(n + 1) + 1;
  return String(down(0));
};
