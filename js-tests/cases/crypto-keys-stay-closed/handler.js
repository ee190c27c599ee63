// A key that may not be extracted is not: the platform's own doors are not within reach.
const statics = (type) => Reflect.ownKeys(type).filter((key) => typeof key === "string").sort();

export const handler = async () => {
  const key = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const exported = await crypto.subtle.exportKey("raw", key).catch((error) => error.name);
  const jwk = { kty: "OKP", crv: "X25519", d: "A".repeat(43) };
  const incomplete = await crypto.subtle.importKey("jwk", jwk, "X25519", true, ["deriveBits"]).catch((e) => e.name);
  const borrowed = await Reflect.apply(SubtleCrypto.prototype.digest, {}, ["SHA-1", new Uint8Array()]).catch((e) => e.name);
  return {
    exported,
    incomplete,
    borrowed,
    statics: [CryptoKey, Crypto].map(statics),
    own: [crypto, crypto.subtle, key].map((object) => Object.keys(object)),
  };
};
