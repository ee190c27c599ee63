// Keys that contradict themselves and signatures that anybody can make: what the platform's own does not miss.
(function () {
const { core, primordials } = __bootstrap;
const {
  ArrayPrototypeIncludes,
  ReflectApply,
  StringPrototypeReplaceAll,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeSlice,
} = primordials;
const { op_isle_eddsa } = core.ops;
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");

// How long a coordinate of the curve is in base64url.
const COORDINATE = { __proto__: null, "P-256": 43, "P-384": 64, "P-521": 88 };
const POINT_BYTES = 32, SMALL_ORDER = 5;

function setUp(real, originals, realSubtle) {
  const isSmall = (point) => op_isle_eddsa(SMALL_ORDER, point)[0] === 1;
  return {
    // Once the platform's own has taken the key.
    async checkJwk(jwk) {
      const bad = (what) => {
        throw new DOMException(`${what} of the JSON Web Key is missing or not its curve's`, "DataError");
      };
      const { kty, crv, alg, d, x, y } = jwk;
      if (kty === "EC" && d !== undefined) {
        const length = COORDINATE[crv];
        if (length === undefined) bad("'crv'");
        if (x?.length !== length || y?.length !== length || d.length !== length) bad("'x', 'y' or 'd'");
      }
      if (kty !== "OKP") return;
      if (crv === "Ed25519" && alg !== undefined && alg !== crv && alg !== "EdDSA") bad("'alg'");
      if (d === undefined) return;
      if (typeof x !== "string") bad("'x'");
      const usages = [crv === "Ed25519" ? "sign" : "deriveBits"];
      const copy = real.importCryptoKeySync("jwk", { kty, crv, d }, crv, true, usages);
      const own = await ReflectApply(originals.exportKey, realSubtle(), ["jwk", copy]);
      if (own.x !== StringPrototypeReplaceAll(x, "=", "")) bad("'x'");
    },

    // Ed25519: with a key or a commitment of small order, one signature fits many messages.
    isForged(key, signature) {
      if (key.algorithm.name !== "Ed25519" || key.type !== "public" || !ArrayPrototypeIncludes(key.usages, "verify")) {
        return false;
      }
      if (signature === undefined || TypedArrayPrototypeGetByteLength(signature) < POINT_BYTES) return false;
      // The key is the end of its DER.
      const { data } = real.cryptoKeyExportNodeKeyMaterial(key);
      return isSmall(TypedArrayPrototypeSlice(data, -POINT_BYTES)) ||
        isSmall(TypedArrayPrototypeSlice(signature, 0, POINT_BYTES));
    },
  };
}

return { setUp };
})();
