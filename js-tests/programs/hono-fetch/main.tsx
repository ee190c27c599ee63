/** @jsxImportSource hono/jsx */
import { Hono } from "hono";
import { html } from "hono/html";
import { stream } from "hono/streaming";

const app = new Hono();
const Page = ({ name }: { name: string }) => <main class="page"><h1>Hello {name}</h1></main>;
app.get("/", (c) => c.html(<Page name={"<you>"} />));
app.get("/html", (c) => c.html(html`<p>${"a & b"}</p>`));
app.get("/stream", (c) => stream(c, async (out) => {
  for (const part of ["one ", "two ", "three"]) await out.write(part);
}));
app.post("/form", async (c) => c.json(await c.req.parseBody()));
export default app;
