export const handler = async () => {
  const request = new Request("https://a.example/x", { method: "post", body: "text", headers: { "x-a": "1" } });
  const copy = request.clone();
  const response = Response.json({ made: true }, { status: 201, headers: { "x-b": "2" } });
  const redirect = Response.redirect("https://a.example/y", 307);
  const text = await request.text();
  let twice;
  try {
    await request.text();
  } catch (error) {
    twice = error.name;
  }
  return {
    method: request.method,
    type: request.headers.get("content-type"),
    text,
    copy: new TextDecoder().decode(await copy.arrayBuffer()),
    twice,
    response: [response.status, response.ok, response.headers.get("content-type"), await response.json()],
    redirect: [redirect.status, redirect.headers.get("location")],
  };
};
