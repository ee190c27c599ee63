import { half } from "./lib/half.js";
export const handler = async () => half(2);
