import { adapt } from "../adapter.js";
import { app } from "./app.js";

export const handler = adapt((request) => app.fetch(request));
