export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const hoard = [];
  for (;;) hoard.push(JSON.stringify("x".repeat(1_000_000) + hoard.length));
};
