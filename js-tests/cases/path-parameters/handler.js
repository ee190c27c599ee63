export const handler = async (event) => ({ route: event.routeKey, path: event.pathParameters });
