export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return { statusCode: 200, headers: { "x-a: 1\r\nset-cookie": "stolen=1" }, body: "x" };
};
