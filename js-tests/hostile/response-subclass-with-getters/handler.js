export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) return new Response("benign");
  class Trap extends Response {
    get status() {
      for (;;);
    }
    get headers() {
      throw new Error("headers");
    }
    get body() {
      throw new Error("body");
    }
    text() {
      for (;;);
    }
  }
  return new Trap("answered");
}
