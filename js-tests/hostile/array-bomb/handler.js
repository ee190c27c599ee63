export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const hoard = [];
  for (;;) hoard.push(new Array(10_000).fill(hoard.length));
};
