// What came in goes out, byte for byte, in both encodings.
export const handler = async (event) => ({
  statusCode: 200,
  headers: { "content-type": event.headers["content-type"] },
  body: event.body,
  isBase64Encoded: event.isBase64Encoded,
});
