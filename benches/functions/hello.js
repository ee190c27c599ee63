export const handler = async () => ({
  statusCode: 200,
  headers: { "content-type": "text/plain;charset=UTF-8" },
  body: "Hello",
});
