// Makes its routes' code from strings.
import { Elysia, t } from "elysia";

export default new Elysia()
  .get("/", () => "hello")
  .get("/id/:id", ({ params: { id } }) => ({ id }), { params: t.Object({ id: t.Numeric() }) })
  .post("/posted", ({ body }) => body, { body: t.Object({ a: t.String() }) })
  .get("/query", ({ query }) => query)
  .get("/tea", ({ status }) => status(418, "tea"))
  .get("/cookie", ({ cookie: { seen } }) => {
    seen.value = "yes";
    return "set";
  })
  .onError(({ code }) => `error ${code}`);
