import text from "../../../../etc/passwd";
export const handler = async () => text;
