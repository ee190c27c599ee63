export const handler = async (event) => ({ raw: event.rawQueryString, query: event.queryStringParameters });
