import { record } from "./record.js";

export default {
  async fetch() {
    return Response.json(record());
  },
};
