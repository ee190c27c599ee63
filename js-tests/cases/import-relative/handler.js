import { shout } from "./lib/shout.js";
import greet, * as all from "./lib/greet.mjs";
export const handler = async () => ({ said: shout(greet("you")), names: Object.keys(all) });
