import { getQuery, H3, HTTPError, setCookie } from "h3";

const app = new H3()
  .get("/", () => "hello")
  .get("/json/:name", (event) => ({ name: event.context.params?.name }))
  .post("/posted", (event) => event.req.json())
  .get("/tea", () => {
    throw new HTTPError({ status: 418, message: "tea" });
  })
  .get("/cookie", (event) => {
    setCookie(event, "a", "1");
    return getQuery(event);
  })
  .get("/stream", () => new Blob(["in ", "parts"]).stream());

export default { fetch: (request: Request) => app.fetch(request) };
