import { mark } from "../marks.js";
export const shout = (text) => text.toUpperCase() + mark;
