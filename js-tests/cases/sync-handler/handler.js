// A plain return value is answered (where Lambda would ignore it).
export const handler = (event) => ({ statusCode: 200, body: `sync ${event.requestContext.http.method}` });
