export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  throw Object.assign(new Error("m"), { name: "n".repeat(100 << 20) });
};
