export const handler = async () => ({ statusCode: 200, multiValueHeaders: { "x-many": ["1", "2"] }, body: "ok" });
