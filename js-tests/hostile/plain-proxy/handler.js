export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return new Proxy({ statusCode: 200, body: "through a proxy" }, {});
};
