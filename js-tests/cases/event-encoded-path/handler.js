// rawPath is decoded, as the real service has it.
export const handler = async (event) => ({ raw: event.rawPath, http: event.requestContext.http.path });
