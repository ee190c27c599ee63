export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  console.log(new Proxy({}, {
    get() {
      for (;;) {}
    },
  }), { [Symbol.for("Deno.customInspect")]() { for (;;) {} } });
  return "answered";
};
