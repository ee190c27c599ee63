import { even } from "./even.js";
export const handler = async () => ({ ten: even(10), seven: even(7) });
