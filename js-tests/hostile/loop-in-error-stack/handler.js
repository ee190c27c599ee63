export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const error = new Error("x");
  Object.defineProperty(error, "stack", {
    get() {
      for (;;) {}
    },
  });
  throw error;
};
