const line = "y".repeat(200);
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  for (let i = 0; i < 5_000; i++) console.log(line);
  return "answered";
};
