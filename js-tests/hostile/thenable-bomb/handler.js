// Each turn of the promise machinery finds another thenable.
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const bomb = { then: (resolve) => resolve(bomb) };
  return bomb;
};
