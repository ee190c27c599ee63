const line = "z".repeat(20 << 20);
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  console.log(line);
  return "answered";
};
