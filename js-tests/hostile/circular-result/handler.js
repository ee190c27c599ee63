export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const result = { a: 1 };
  result.self = result;
  return result;
};
