export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return { statusCode: 200, headers: { "x-a": { toString: () => { throw new Error("from toString"); } } }, body: "x" };
};
