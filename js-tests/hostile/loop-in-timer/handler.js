export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  setTimeout(() => {
    for (;;) {}
  }, 1);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return "unreachable";
};
