export const handler = async () => ({ statusCode: 200, cookies: "a=1", body: "ok" });
