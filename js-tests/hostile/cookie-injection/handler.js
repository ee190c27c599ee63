export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return { statusCode: 200, cookies: ["a=1\r\nx-smuggled: 1"], body: "x" };
};
