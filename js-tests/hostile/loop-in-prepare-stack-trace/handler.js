export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  Error.prepareStackTrace = () => {
    for (;;) {}
  };
  throw new Error("x");
};
