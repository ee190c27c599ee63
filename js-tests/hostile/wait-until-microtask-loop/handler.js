// What a response leaves to run when it is read comes to run when another invocation's wait is over.
let end;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export default async function (request, env, ctx) {
  if (request.url.endsWith("/benign")) {
    ctx.waitUntil(Promise.race([wait(5_000), new Promise((resolve) => end = resolve)]));
    return new Response("benign");
  }
  await wait(5);
  end();
  let looks = 0;
  return new Proxy(new Response("answered"), {
    get(response, key) {
      if (key !== "then" && looks++ === 0) queueMicrotask(() => { for (;;); });
      return response[key];
    },
  });
}
