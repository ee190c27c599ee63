export const handler = async (event) => ({
  statusCode: 200,
  headers: { "content-type": "application/json" },
  body: event.body,
  isBase64Encoded: event.isBase64Encoded,
});
