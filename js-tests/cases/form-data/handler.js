// What a browser's form sends, read by the web's own parser.
export const handler = async (event) => {
  const bytes = Uint8Array.from(atob(event.body), (c) => c.charCodeAt(0));
  const form = await new Response(bytes, { headers: { "content-type": event.headers["content-type"] } }).formData();
  const file = form.get("upload");
  const made = new FormData();
  made.append("a", "1");
  made.append("a", "2");
  const encoded = new Response(made);
  return {
    fields: [...form.keys()],
    name: form.get("name"),
    file: [file.name, file.type, await file.text()],
    all: made.getAll("a"),
    multipart: encoded.headers.get("content-type").startsWith("multipart/form-data; boundary="),
  };
};
