export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  let nested = [];
  for (let i = 0; i < 200_000; i++) nested = [nested];
  return nested;
};
