export const handler = async (event) => ({ encoded: event.isBase64Encoded, has: "body" in event });
