const encoder = new TextEncoder(), decoder = new TextDecoder();
const latin = new TextDecoder("iso-8859-1"), strict = new TextDecoder("utf-8", { fatal: true });
const bytes = encoder.encode("grüße");

export const handler = () => {
  let fatal;
  try {
    strict.decode(new Uint8Array([255]));
  } catch (error) {
    fatal = error.name;
  }
  return { text: decoder.decode(bytes), latin: latin.decode(new Uint8Array([228])), fatal, into: bytes.length };
};
