export const before = 1;
import { nothing } from "./missing.js";
export const handler = async () => nothing;
