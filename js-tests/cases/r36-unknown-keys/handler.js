export const handler = async () => ({ statusCode: 200, body: "ok", statusText: "Fine", extra: { a: 1 } });
