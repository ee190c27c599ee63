// Everything of a request that a handler may look at.
export default async (request) => {
  const copy = request.clone();
  const { pathname, search, hostname } = new URL(request.url);
  let immutable = false;
  try {
    request.headers.set("x-new", "1");
  } catch (error) {
    immutable = error instanceof TypeError;
  }
  return Response.json({
    method: request.method, pathname, search, hostname, immutable,
    header: request.headers.get("X-Two"), missing: request.headers.get("x-none"),
    type: request.headers.get("content-type"), redirect: request.redirect, aborted: request.signal.aborted,
    used: [request.bodyUsed, await request.text(), request.bodyUsed], copy: await copy.text(),
    names: [...request.headers.keys()].filter((name) => name.startsWith("x-t")),
  });
};
