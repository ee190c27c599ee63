export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return { statusCode: 200, headers: Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`x-${i}`, "1"])), body: "x" };
};
