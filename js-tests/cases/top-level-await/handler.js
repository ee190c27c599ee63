const { value } = await import("./settings.js");
const later = await new Promise((resolve) => setTimeout(() => resolve("waited"), 5));
export const handler = async () => ({ value, later });
