import { AutoRouter, error, html } from "itty-router";

const router = AutoRouter();
router
  .get("/hello/:name", ({ params, query }) => ({ hello: params.name, query }))
  .get("/page", () => html("<p>page</p>"))
  .post("/sum", async (request) => ({ sum: (await request.json() as number[]).reduce((a, b) => a + b) }))
  .get("/wrong", () => error(400, "wrong"));
export default router;
