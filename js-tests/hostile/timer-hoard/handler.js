export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  for (let i = 0; i < 10_000; i++) setTimeout(() => {}, 1_000_000_000);
  return "answered";
};
