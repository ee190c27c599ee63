// Whatever a body was made of, a reader may bring its own buffer; and requests tell what they are.
const text = async (body) => {
  const reader = body.getReader({ mode: "byob" });
  let all = "";
  for (let buffer = new ArrayBuffer(4);;) {
    const { done, value } = await reader.read(new Uint8Array(buffer));
    if (done) return all;
    all += new TextDecoder().decode(value);
    buffer = value.buffer;
  }
};
const thrown = (run) => {
  try {
    run();
  } catch (error) {
    return error.name;
  }
};
const post = (init) => new Request("https://a.example/", { method: "POST", ...init });

export const handler = async () => {
  const bytes = new TextEncoder().encode("some bytes");
  const response = new Response(bytes);
  const copy = response.clone();
  return {
    texts: [
      await text(new Response("a text").body),
      await text(new Response("").body),
      await text(response.body),
      await text(new Response(new URLSearchParams({ a: "b" })).body),
      await text(post({ body: new Blob(["a blob"]) }).body),
    ],
    copy: await copy.text(),
    own: bytes.length,
    request: (({ destination, duplex, isReloadNavigation, isHistoryNavigation }) =>
      [destination, duplex, isReloadNavigation, isHistoryNavigation])(post()),
    streamed: await post({ body: new Response("without duplex").body }).text(),
    refused: [
      thrown(() => post({ duplex: "full" })), thrown(() => post({ window: {} })), thrown(() => Response.json()),
      thrown(() => Response.redirect()), thrown(() => structuredClone(new Blob(), { transfer: [new Blob()] })),
    ],
  };
};
