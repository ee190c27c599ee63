import { zValidator } from "@hono/zod-validator";
import { Hono } from "hono";
import { basicAuth } from "hono/basic-auth";
import { cors } from "hono/cors";
import { etag } from "hono/etag";
import { jwt, sign } from "hono/jwt";
import { secureHeaders } from "hono/secure-headers";
import { streamSSE, streamText } from "hono/streaming";
import { timeout } from "hono/timeout";
import { z } from "zod";

const app = new Hono();
app.use("/headers", secureHeaders(), cors({ origin: "https://a.example" }), etag());
app.get("/headers", (c) => c.text("x".repeat(10)));
app.use("/basic", basicAuth({ username: "a", password: "b" }));
app.get("/basic", (c) => c.text("in"));
app.post("/json", zValidator("json", z.object({ a: z.number() })), (c) => c.json(c.req.valid("json")));
app.post("/form", zValidator("form", z.object({ a: z.coerce.number(), file: z.instanceof(File) })), async (c) => {
  const { a, file } = c.req.valid("form");
  return c.json([a, file.name, await file.text()]);
});
app.get("/events", (c) =>
  streamSSE(c, async (stream) => {
    for (let n = 0; n < 3; n++) {
      await stream.writeSSE({ data: `data ${n}`, event: "tick", id: String(n) });
      await stream.sleep(1);
    }
  }));
app.get("/text", (c) =>
  streamText(c, async (stream) => {
    await stream.writeln("first");
    await stream.sleep(1);
    await stream.write("second");
  }));
app.get("/late", timeout(20), async (c) => {
  await new Promise((resolve) => setTimeout(resolve, 2000));
  return c.text("late");
});
app.use("/jwt", jwt({ secret: "s", alg: "HS256" }));
app.get("/jwt", (c) => c.json(c.get("jwtPayload")));
app.get("/sign", async (c) => c.text(await sign({ a: 1 }, "s")));
export default app;
