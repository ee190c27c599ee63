// V8 itself aborts on this one: no limit inside a process survives it.
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return String("x".repeat(2 ** 29 - 30).split("").length);
};
