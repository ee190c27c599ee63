export default {
  fetch: (request, env, ctx) => Response.json({ env, params: ctx.params, same: ctx.params === ctx.params }),
};
