export const handler = async (event) => event.routeKey;
