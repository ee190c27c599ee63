export const handler = async () => ({ statusCode: 200, body: { forgot: "JSON.stringify" } });
