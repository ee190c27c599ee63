// A 204 has no body, whatever the handler says, and the connection stays usable.
export const handler = async () => ({ statusCode: 204, body: "ignored" });
