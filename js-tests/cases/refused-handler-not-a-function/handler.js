export const handler = { statusCode: 200 };
