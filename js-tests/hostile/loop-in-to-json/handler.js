export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return {
    toJSON() {
      for (;;) {}
    },
  };
};
