// Each looks harmless at first.
const growing = (error, name) => {
  let looks = 0;
  return Object.defineProperty(error, name, { get: () => looks++ === 0 ? "small" : "g".repeat(100 << 20) });
};
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  throw growing(growing(new Error("m", { cause: "c".repeat(100 << 20) }), "message"), "stack");
};
