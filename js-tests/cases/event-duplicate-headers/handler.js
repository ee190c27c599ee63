export const handler = async (event) => event.headers["x-many"];
