export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return {
    get then() {
      throw new Error("from then");
    },
  };
};
