export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return new Proxy({}, {
    get() {
      for (;;) {}
    },
    has() {
      for (;;) {}
    },
    ownKeys() {
      for (;;) {}
    },
  });
};
