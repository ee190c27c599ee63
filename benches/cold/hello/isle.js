import { headers, text } from "./app.js";

export const handler = async () => ({ statusCode: 200, headers, body: text });
