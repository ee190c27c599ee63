import { Hono } from "hono";
import { handle } from "hono/aws-lambda";
import { getCookie, setCookie } from "hono/cookie";
import { cors } from "hono/cors";
import { etag } from "hono/etag";
import { HTTPException } from "hono/http-exception";
import { sign, verify } from "hono/jwt";

const app = new Hono().basePath("/api");
app.use("*", cors({ origin: "https://example.org" }));
app.use("/etag", etag());
app.get("/hello/:name", (c) => c.json({ hello: c.req.param("name"), q: c.req.query("q"), cookie: getCookie(c, "a") }));
app.get("/etag", (c) => c.text("tagged"));
app.post("/echo", async (c) => {
  setCookie(c, "seen", "yes", { httpOnly: true });
  return c.json({ got: await c.req.json() }, 201);
});
app.get("/jwt", async (c) => {
  const token = await sign({ sub: "you", iat: 1_700_000_000 }, "secret", "HS256");
  return c.json({ token, payload: await verify(token, "secret", "HS256") });
});
app.get("/teapot", () => {
  throw new HTTPException(418, { message: "no coffee" });
});
app.notFound((c) => c.text("nowhere", 404));
export const handler = handle(app);
