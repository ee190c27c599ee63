import { app } from "./app.js";

export default { fetch: (request) => app.fetch(request) };
