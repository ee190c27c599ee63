export const handler = async () => ({
  statusCode: 200,
  headers: { "x-number": 42, "x-fraction": 1.5, "x-yes": true, "x-no": false, "x-text": "as is" },
  body: "ok",
});
