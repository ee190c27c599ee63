export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return {
    statusCode: 200,
    get body() {
      throw new Error("from the getter");
    },
  };
};
