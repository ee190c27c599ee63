export const handler = async () => ({ statusCode: 200, headers: { "x-other": "1" }, body: "{}" });
