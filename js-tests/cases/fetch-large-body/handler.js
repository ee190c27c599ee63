// Beyond what travels with the request: the pieces are put together in order.
export default {
  async fetch(request) {
    if (request.url.endsWith("/text")) return new Response(String((await request.text()).length));
    return new Response(request.body);
  },
};
