export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return { statusCode: 200, body: "x".repeat(50 << 20) };
};
