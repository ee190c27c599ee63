// Ed448 (RFC 8032): keys in every format, signatures with and without a context, what must fail.
const { subtle } = crypto;
const hex = (buffer) => new Uint8Array(buffer).toHex();
const refused = (promise) => promise.then(() => "not refused", (error) => error.name);
// The first vector of section 7.4: an empty message.
const seed = "6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3528c8a3fcc2f044e39a3fc5b94492f8f032e7549a20098f95b";
const point = "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180";

export const handler = async () => {
  const message = new TextEncoder().encode("message");
  const pkcs8 = Uint8Array.fromHex(`3047020100300506032b6571043b0439${seed}`);
  const known = await subtle.importKey("pkcs8", pkcs8, "Ed448", true, ["sign"]);
  const jwk = await subtle.exportKey("jwk", known);
  const verifier = await subtle.importKey("raw", Uint8Array.fromHex(point), { name: "ed448" }, true, ["verify"]);
  const signature = await subtle.sign("Ed448", known, new Uint8Array());

  const { privateKey, publicKey } = await subtle.generateKey("Ed448", false, ["sign", "verify"]);
  const context = new TextEncoder().encode("context");
  const signed = await subtle.sign({ name: "Ed448", context }, privateKey, message);

  const wrapping = await subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["wrapKey", "unwrapKey"]);
  const algorithm = { name: "AES-GCM", iv: new Uint8Array(12) };
  const unwrapped = [];
  for (const format of ["pkcs8", "jwk"]) {
    const wrapped = await subtle.wrapKey(format, known, wrapping, algorithm);
    const key = await subtle.unwrapKey(format, wrapped, wrapping, algorithm, "Ed448", true, ["sign"]);
    unwrapped.push(hex(await subtle.exportKey("pkcs8", key)) === pkcs8.toHex());
  }
  // What a program says about a key does not make it so.
  Object.defineProperty(privateKey, "extractable", { value: true });

  return {
    algorithm: [known.algorithm.name, known.type, known.usages, publicKey.type, publicKey.extractable],
    signature: hex(signature).slice(0, 32),
    spki: hex(await subtle.exportKey("spki", verifier)) === `3043300506032b6571033a00${point}`,
    jwk: { ...jwk, x: jwk.x.length, d: jwk.d.length },
    again: (await subtle.importKey("jwk", jwk, "Ed448", false, ["sign"])).type,
    verified: [
      await subtle.verify("Ed448", verifier, signature, new Uint8Array()),
      await subtle.verify("Ed448", verifier, signature, message),
      await subtle.verify({ name: "Ed448", context }, publicKey, signed, message),
      await subtle.verify("Ed448", publicKey, signed, message),
    ],
    unwrapped,
    refused: [
      await refused(subtle.exportKey("pkcs8", privateKey)),
      await refused(subtle.exportKey("raw", known)),
      await refused(subtle.sign("Ed448", verifier, message)),
      await refused(subtle.sign("Ed25519", known, message)),
      await refused(subtle.importKey("pkcs8", pkcs8.subarray(1), "Ed448", true, ["sign"])),
      await refused(subtle.importKey("raw", new Uint8Array(56), "Ed448", true, ["verify"])),
      await refused(subtle.importKey("pkcs8", pkcs8, "Ed448", true, ["encrypt"])),
      await refused(subtle.importKey("pkcs8", pkcs8, "Ed448", true, [])),
      await refused(subtle.importKey("jwk", { ...jwk, d: jwk.x }, "Ed448", true, ["sign"])),
      await refused(subtle.generateKey("Ed448", true, ["verify"])),
      await refused(subtle.sign({ name: "Ed448", context: new Uint8Array(256) }, known, message)),
    ],
  };
};
