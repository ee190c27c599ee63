// Work goes on after the response, also after one that failed, and says whose it is.
export default {
  async fetch(request, env, { waitUntil }) {
    const later = (text) => new Promise((resolve) => setTimeout(() => resolve(console.log(text)), 20));
    waitUntil(later("first").then(() => waitUntil(later("second"))));
    waitUntil(Promise.reject(new Error("in the background")));
    waitUntil("no promise");
    if (request.url.endsWith("/throw")) throw new Error("in front");
    return new Response("answered");
  },
};
