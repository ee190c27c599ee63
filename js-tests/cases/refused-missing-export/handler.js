import { helper } from "./lib.js";
export const handler = async () => helper();
