// What belongs to one request is not the next one's.
let count = 0;
export default {
  async fetch(request, env, ctx) {
    const mine = ++count;
    await new Promise((resolve) => setTimeout(resolve, 5));
    return Response.json({ same: new URL(request.url).searchParams.get("n"), own: mine > 0, props: ctx.props });
  },
};
