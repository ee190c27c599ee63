// What is no Response is said to be none, whatever it looks like.
const kinds = {
  undefined: () => undefined,
  text: () => "text",
  object: () => ({ status: 200, headers: new Headers(), body: "x" }),
  pretender: () => Object.create(Response.prototype),
  error: () => Response.error(),
  read: async () => {
    const response = new Response("read");
    await response.text();
    return response;
  },
  locked: () => {
    const response = new Response(new ReadableStream());
    response.body.getReader();
    return response;
  },
  switching: () => new Response(null, { status: 101 }),
};
export default { fetch: (request) => kinds[new URL(request.url).pathname.slice(1)]() };
