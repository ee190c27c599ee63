export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  await new Promise((resolve) => setTimeout(resolve, 1_000_000));
};
