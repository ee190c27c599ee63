export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return { count: 10n };
};
