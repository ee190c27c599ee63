export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const error = new Error("x");
  Object.assign(error, { name: Symbol("n"), message: 10n, stack: { toString: null } });
  throw error;
};
