export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  for (let i = 0; i < 1000; i++) setInterval(() => {}, 0);
  await new Promise(() => {});
};
