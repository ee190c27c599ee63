export default {
  fetch: (request) => new Response(request.body, { status: 200 }),
};
