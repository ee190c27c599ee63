export const value = await Promise.resolve("set");
