export const handler = async () => ({
  statusCode: 200,
  cookies: ["a=1; Path=/", "b=2; HttpOnly; Expires=Wed, 21 Oct 2026 07:28:00 GMT"],
  body: "ok",
});
