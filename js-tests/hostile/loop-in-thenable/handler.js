export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return {
    then() {
      for (;;) {}
    },
  };
};
