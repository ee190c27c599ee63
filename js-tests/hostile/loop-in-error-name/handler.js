// Describing an error runs the tenant's code too.
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const error = new Error("x");
  Object.defineProperty(error, "name", {
    get() {
      for (;;) {}
    },
  });
  throw error;
};
