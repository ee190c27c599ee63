export const handler = async () => ({
  statusCode: 201,
  headers: { "Content-Type": "text/plain; charset=utf-8", "X-Made-By": "isle" },
  body: "made",
});
