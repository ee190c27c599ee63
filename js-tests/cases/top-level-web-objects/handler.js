const url = new URL("https://example.org/a?b=c"), pattern = new URLPattern({ pathname: "/users/:id" });
const headers = new Headers({ "X-One": "1" });
const request = new Request("https://example.org/", { method: "POST", body: "sent", headers });
const response = new Response("answered", { status: 201 });
const form = new FormData();
form.set("field", "value");
const target = new EventTarget();
let events = 0;
target.addEventListener("ping", () => events++);
const error = new DOMException("no", "AbortError");

export const handler = async () => {
  const before = events;
  target.dispatchEvent(new Event("ping"));
  return {
    url: url.searchParams.get("b"),
    id: pattern.exec("https://example.org/users/7").pathname.groups.id,
    request: [request.method, request.headers.get("x-one"), await request.clone().text()],
    response: [response.status, await response.clone().text()],
    form: [...form],
    events: events - before,
    error: [error.name, error instanceof Error],
  };
};
