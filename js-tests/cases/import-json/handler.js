import data from "./data/prices.json" with { type: "json" };
export const handler = async () => ({ total: data.prices.reduce((a, b) => a + b, 0), currency: data.currency });
