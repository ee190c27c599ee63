export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return String(/^(a+)+$/.test("a".repeat(60) + "b"));
};
