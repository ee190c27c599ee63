export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const { proxy, revoke } = Proxy.revocable({ statusCode: 200 }, {});
  setTimeout(revoke, 0);
  await new Promise((resolve) => setTimeout(resolve, 5));
  return [proxy];
};
