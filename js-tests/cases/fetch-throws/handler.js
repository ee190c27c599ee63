export default {
  async fetch(request) {
    if (request.url.endsWith("/reject")) await Promise.reject(new RangeError("rejected"));
    throw new TypeError("thrown");
  },
};
