// The node's own headers cannot be forged.
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return { statusCode: 200, headers: { "isle-outcome": "cpu_exceeded", "isle-request-id": "forged" }, body: "answered" };
};
