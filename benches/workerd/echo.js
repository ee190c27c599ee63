// The body passes through JavaScript as text, as it does in Isle's function.
export default {
  async fetch(request) {
    return new Response(await request.text(), { headers: { "content-type": "application/json" } });
  },
};
