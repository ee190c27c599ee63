export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const hoard = new Map();
  for (let i = 0; ; i++) hoard.set(`key ${i}`, { i });
};
