export const handler = async () => ({ statusCode: 302, headers: { location: "/elsewhere?a=1" } });
