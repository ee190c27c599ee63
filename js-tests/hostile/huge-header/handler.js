export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return { statusCode: 200, headers: { "x-huge": "h".repeat(1 << 20) }, body: "x" };
};
