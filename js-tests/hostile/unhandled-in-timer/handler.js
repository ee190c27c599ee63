export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  setTimeout(() => {
    throw new Error("in a timer");
  }, 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  return "answered";
};
