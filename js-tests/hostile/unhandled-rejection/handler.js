export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  Promise.reject(new Error("nobody catches this"));
  await null;
  return "answered";
};
