// Latin-1, two-byte and astral text, and a lone surrogate, which UTF-8 cannot carry.
const texts = { "/latin": "é".repeat(3), "/wide": "日本語", "/astral": "😀", "/lone": "a\ud800b" };
export const handler = async (event) => ({ statusCode: 200, headers: { "content-type": "text/plain; charset=utf-8" }, body: texts[event.rawPath] });
