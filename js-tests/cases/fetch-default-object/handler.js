// `this` is the exported object, as frameworks expect that export their app.
export default {
  greeting: "Hello",
  async fetch(request) {
    return new Response(`${this.greeting} ${request.method}`);
  },
};
