export const handler = async (event) => ({ encoded: event.isBase64Encoded, body: event.body });
