export default {
  fetch(request, env, ctx) {
    try {
      ctx.passThroughOnException();
    } catch (error) {
      return new Response(`${error.name}: ${error.message.slice(0, 43)}`);
    }
  },
};
