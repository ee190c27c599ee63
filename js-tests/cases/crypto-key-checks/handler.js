// Keys that contradict themselves are refused, and points of small order sign nothing.
const { subtle } = crypto;
const outcome = (promise) => promise.then((value) => value?.type ?? value, (error) => error.name);
const zeros = (bytes) => new Uint8Array(bytes);

export const handler = async () => {
  const jwkOf = async (algorithm, usages) => {
    const { privateKey } = await subtle.generateKey(algorithm, true, usages);
    return subtle.exportKey("jwk", privateKey);
  };
  const ecdsa = { name: "ECDSA", namedCurve: "P-256" };
  const ec = await jwkOf(ecdsa, ["sign", "verify"]);
  const ed = await jwkOf("Ed25519", ["sign", "verify"]);
  const ed2 = await jwkOf("Ed25519", ["sign", "verify"]);
  const x = await jwkOf("X25519", ["deriveBits"]);
  const x2 = await jwkOf("X25519", ["deriveBits"]);
  const importEc = (jwk) => outcome(subtle.importKey("jwk", jwk, ecdsa, true, ["sign"]));
  const importEd = (jwk) => outcome(subtle.importKey("jwk", jwk, "Ed25519", true, ["sign"]));
  const importX = (jwk) => outcome(subtle.importKey("jwk", jwk, "X25519", true, ["deriveBits"]));

  // The neutral element: any message has the signature (neutral, 0).
  const neutral = zeros(32);
  neutral[0] = 1;
  const forged = zeros(64);
  forged[0] = 1;
  const small = await subtle.importKey("raw", neutral, "Ed25519", true, ["verify"]);
  return {
    ec: [await importEc(ec), await importEc({ ...ec, x: ec.x.slice(0, -1) }), await importEc({ ...ec, crv: undefined })],
    ed: [await importEd(ed), await importEd({ ...ed, x: ed2.x }), await importEd({ ...ed, alg: "ed25519" })],
    alg: [ed.alg, await importEd({ ...ed, alg: "EdDSA" })],
    x: [await importX(x), await importX({ ...x, x: x2.x })],
    forged: await subtle.verify("Ed25519", small, forged, zeros(1)),
    random: (() => {
      try {
        crypto.getRandomValues(zeros(65_537));
      } catch (error) {
        return [error.name, error instanceof QuotaExceededError, error.quota];
      }
    })(),
  };
};
