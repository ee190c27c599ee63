export const handler = async () => ["hello", 3, true];
