export { answer as handler } from "./lib/answer.js";
