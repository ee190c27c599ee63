// A small shop's API as people write them with hono: routers for its parts, middleware around them, JSON.
import { Hono } from "hono";
import { accepts } from "hono/accepts";
import { bearerAuth } from "hono/bearer-auth";
import { bodyLimit } from "hono/body-limit";
import { getCookie, setCookie } from "hono/cookie";
import { cors } from "hono/cors";
import { csrf } from "hono/csrf";
import { etag } from "hono/etag";
import { HTTPException } from "hono/http-exception";
import { html } from "hono/html";
import { jwt } from "hono/jwt";
import { poweredBy } from "hono/powered-by";
import { prettyJSON } from "hono/pretty-json";
import { secureHeaders } from "hono/secure-headers";
import { trimTrailingSlash } from "hono/trailing-slash";
import { validator } from "hono/validator";
import { catalogue, find, search } from "./catalogue.js";

const SECRET = "kept-in-the-environment-elsewhere";

const products = new Hono()
  .get("/", (c) => c.json({ products: catalogue.slice(0, 10), total: catalogue.length }))
  .get("/search", validator("query", query), (c) => {
    const { text, limit } = c.req.valid("query");
    return c.json({ text, found: search(text).slice(0, limit) });
  })
  .get("/:sku", (c) => {
    const product = find(c.req.param("sku"));
    if (!product) throw new HTTPException(404, { message: "no such product" });
    return c.json(product);
  });

const cart = new Hono()
  .use(bodyLimit({ maxSize: 64 * 1024 }))
  .get("/", (c) => c.json({ lines: lines(getCookie(c, "cart")) }))
  .post("/", validator("json", line), (c) => {
    const added = c.req.valid("json");
    setCookie(c, "cart", `${added.sku}.${added.quantity}`, { path: "/", httpOnly: true, sameSite: "Lax" });
    return c.json({ added }, 201);
  })
  .delete("/", (c) => c.body(null, 204));

const admin = new Hono()
  .use(bearerAuth({ token: SECRET }))
  .get("/stock", (c) => c.json(catalogue.map(({ sku, stock }) => ({ sku, stock }))))
  .put("/stock/:sku", validator("json", line), (c) => c.json({ sku: c.req.param("sku"), ...c.req.valid("json") }));

const account = new Hono()
  .use(jwt({ secret: SECRET, alg: "HS256" }))
  .get("/", (c) => c.json(c.get("jwtPayload")));

export const app = new Hono()
  .use(trimTrailingSlash())
  .use("/api/*", poweredBy(), secureHeaders(), cors(), etag(), prettyJSON())
  .use("/shop/*", csrf())
  .get("/", (c) => c.text("A shop"))
  .get("/health", (c) => c.json({ healthy: true }))
  .get("/shop/:sku", (c) => {
    const kind = accepts(c, { header: "Accept", supports: ["text/html", "application/json"], default: "text/html" });
    const product = find(c.req.param("sku"));
    if (!product) return c.notFound();
    return kind === "text/html" ? c.html(html`<h1>${product.name}</h1>`) : c.json(product);
  })
  .route("/api/products", products)
  .route("/api/cart", cart)
  .route("/api/admin", admin)
  .route("/api/account", account)
  .notFound((c) => c.json({ error: "not found" }, 404))
  .onError((error, c) => {
    const status = error instanceof HTTPException ? error.status : 500;
    return c.json({ error: error.message }, status);
  });

function query(value) {
  const limit = Number(value.limit ?? 20);
  if (!value.text || !Number.isInteger(limit)) throw new HTTPException(400, { message: "expected text and limit" });
  return { text: String(value.text), limit };
}

function line(value) {
  if (!find(value.sku) || !Number.isInteger(value.quantity)) {
    throw new HTTPException(400, { message: "expected sku and quantity" });
  }
  return { sku: value.sku, quantity: value.quantity };
}

function lines(cookie) {
  if (!cookie) return [];
  const [sku, quantity] = cookie.split(".");
  return [{ sku, quantity: Number(quantity) }];
}
