const key = await crypto.subtle.importKey(
  "raw", new TextEncoder().encode("key"), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"],
);

export const handler = async () => {
  const text = new TextEncoder().encode("text");
  const signature = await crypto.subtle.sign("HMAC", key, text);
  return { bytes: signature.byteLength, verified: await crypto.subtle.verify("HMAC", key, signature, text) };
};
