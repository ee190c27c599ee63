const utf8 = (text) => new TextEncoder().encode(text);
const hex = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, "0")).join("");
export const handler = async () => {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", utf8("key"), algorithm, false, ["sign", "verify"]);
  const message = utf8("The quick brown fox jumps over the lazy dog");
  const signature = await crypto.subtle.sign("HMAC", key, message);
  return {
    signature: hex(signature),
    right: await crypto.subtle.verify("HMAC", key, signature, message),
    wrong: await crypto.subtle.verify("HMAC", key, signature, utf8("another")),
  };
};
