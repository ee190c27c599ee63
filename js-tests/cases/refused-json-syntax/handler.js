import data from "./data.json" with { type: "json" };
export const handler = async () => data;
