// Every byte value, encoded by the handler, decoded on the way out, whatever Accept says.
const bytes = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
export const handler = async () => ({
  statusCode: 200,
  headers: { "content-type": "application/octet-stream" },
  body: btoa(bytes),
  isBase64Encoded: true,
});
