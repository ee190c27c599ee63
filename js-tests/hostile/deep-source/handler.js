// The parser recurses too.
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return String(Function(`return ${"[".repeat(200_000)}${"]".repeat(200_000)}`)().length);
};
