// Each cause has a cause.
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const fail = () =>
    Object.defineProperty(new Error("again"), "cause", {
      get: fail,
    });
  throw fail();
};
