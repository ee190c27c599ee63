import { headers, text } from "./app.js";

export default {
  async fetch() {
    return new Response(text, { headers });
  },
};
