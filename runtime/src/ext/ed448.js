// Ed448 for `crypto.subtle`, which the platform's own lacks:
// https://wicg.github.io/webcrypto-secure-curves/#ed448. Loaded when somebody first names it.
//
// Its keys are CryptoKeys of the platform without any data; the bytes are kept here, so nothing else
// can do anything with them.
(function () {
const { core, primordials } = __bootstrap;
const {
  ArrayPrototypeFilter,
  ArrayPrototypeIncludes,
  ArrayPrototypeSlice,
  JSONParse,
  JSONStringify,
  ReflectApply,
  SafeWeakMap,
  StringPrototypeIncludes,
  StringPrototypePadEnd,
  StringPrototypeReplaceAll,
  TypeError,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeSet,
  TypedArrayPrototypeSlice,
  Uint8Array,
  WeakMapPrototypeGet,
  WeakMapPrototypeHas,
  WeakMapPrototypeSet,
} = primordials;
const { op_isle_eddsa, op_isle_random } = core.ops;
const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");
const infra = core.loadExtScript("ext:deno_web/00_infra.js");
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");

// What the operation does, by number (`eddsa.rs`).
const publicOf = (seed) => op_isle_eddsa(0, seed);
const sign = (seed, context, data) => op_isle_eddsa(1, seed, context, data);
const verify = (point, context, data, signature) => op_isle_eddsa(2, point, context, data, signature)[0] === 1;
const fromPkcs8 = (der) => op_isle_eddsa(3, der);
const fromSpki = (der) => op_isle_eddsa(4, der);

const NAME = "Ed448", KEY_BYTES = 57, BASE64_LENGTH = 76;
// What stands before a key in DER (RFC 8410).
const SPKI = [0x30, 0x43, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71, 0x03, 0x3a, 0x00];
const PKCS8 = [0x30, 0x47, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71, 0x04, 0x3b, 0x04, 0x39];
const SECRET = { __proto__: null, name: "HMAC", hash: "SHA-256" };
const USAGES = [
  "encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey", "encapsulateKey",
  "encapsulateBits", "decapsulateKey", "decapsulateBits",
];
const FORMATS = ["raw", "raw-public", "raw-secret", "raw-private", "raw-seed", "spki", "pkcs8", "jwk"];

const fail = (name, message) => {
  throw new DOMException(message, name);
};
const toUsage = webidl.createEnumConverter("KeyUsage", USAGES);
const toUsages = webidl.createSequenceConverter(toUsage);
const toFormat = webidl.createEnumConverter("KeyFormat", FORMATS);
const usagesOf = (value) => toUsages(value, "Failed to execute a method of 'SubtleCrypto'", "keyUsages");
const formatOf = (value) => toFormat(value, "Failed to execute a method of 'SubtleCrypto'", "format");
const onlyFor = (usages, allowed) => {
  for (let i = 0; i < usages.length; i++) {
    if (usages[i] !== allowed) fail("SyntaxError", `a key of Ed448 is not for ${usages[i]}`);
  }
};

function setUp(real, originals, realSubtle, bytesOf) {
  // What a key is, by the key: what its own properties say can be overwritten.
  const keys = new SafeWeakMap();
  const has = (key) => WeakMapPrototypeHas(keys, key);
  const make = (type, extractable, allUsages, bytes) => {
    const usages = ArrayPrototypeFilter(USAGES, (usage) => ArrayPrototypeIncludes(allUsages, usage));
    const empty = new Uint8Array(0);
    const key = real.fromCloneData({ keyType: type, extractable, usages, algorithm: { name: NAME }, keyData: empty });
    WeakMapPrototypeSet(keys, key, { __proto__: null, type, extractable, usages, bytes });
    return key;
  };
  const bytesFor = (key, type, usage) => {
    const own = WeakMapPrototypeGet(keys, key);
    if (own === undefined || own.type !== type || !ArrayPrototypeIncludes(own.usages, usage)) {
      fail("InvalidAccessError", `the key cannot be used to ${usage} with Ed448`);
    }
    return own.bytes;
  };
  const required = (bytes) => {
    if (bytes === undefined) throw new TypeError("the data are neither an ArrayBuffer nor a view of one");
    return bytes;
  };
  const contextOf = (algorithm) => {
    const { context } = algorithm;
    return context === undefined ? new Uint8Array(0) : required(bytesOf(context));
  };

  const toBase64 = (bytes) => {
    const text = infra.forgivingBase64Encode(bytes);
    return StringPrototypeReplaceAll(StringPrototypeReplaceAll(text, "+", "-"), "/", "_");
  };
  const fromBase64 = (text, what) => {
    const strange = typeof text !== "string" || text.length !== BASE64_LENGTH || StringPrototypeIncludes(text, "+") ||
      StringPrototypeIncludes(text, "/");
    let bytes;
    try {
      if (!strange) {
        bytes = infra.forgivingBase64Decode(StringPrototypeReplaceAll(StringPrototypeReplaceAll(text, "-", "+"), "_", "/"));
      }
    } catch {
      // said below
    }
    if (bytes === undefined || TypedArrayPrototypeGetByteLength(bytes) !== KEY_BYTES) {
      fail("DataError", `'${what}' of the JSON Web Key is not ${KEY_BYTES} bytes in base64url`);
    }
    return bytes;
  };
  const withPrefix = (prefix, bytes) => {
    const whole = new Uint8Array(prefix.length + KEY_BYTES);
    TypedArrayPrototypeSet(whole, prefix);
    TypedArrayPrototypeSet(whole, bytes, prefix.length);
    return TypedArrayPrototypeGetBuffer(whole);
  };

  const importJwk = (jwk, extractable, usages) => {
    if (jwk === null || typeof jwk !== "object" || bytesOf(jwk) !== undefined) {
      throw new TypeError("the key is not a JSON Web Key");
    }
    const { kty, crv, alg, use, key_ops: operations, ext, d, x } = jwk;
    const isPrivate = d !== undefined;
    onlyFor(usages, isPrivate ? "sign" : "verify");
    if (kty !== "OKP") fail("DataError", "'kty' of the JSON Web Key is not 'OKP'");
    if (crv !== NAME) fail("DataError", `'crv' of the JSON Web Key is not '${NAME}'`);
    if (alg !== undefined && alg !== NAME && alg !== "EdDSA") fail("DataError", "'alg' of the JSON Web Key is another");
    if (usages.length > 0 && use !== undefined && use !== "sig") fail("DataError", "'use' of the JSON Web Key is not 'sig'");
    if (operations !== undefined) {
      const allowed = webidl.converters["sequence<DOMString>"](operations, "Failed to import a key", "key_ops");
      for (let i = 0; i < usages.length; i++) {
        if (!ArrayPrototypeIncludes(allowed, usages[i])) fail("DataError", "'key_ops' of the JSON Web Key has less");
      }
    }
    if (ext === false && extractable) fail("DataError", "the JSON Web Key may not be extractable");
    const publicBytes = fromBase64(x, "x");
    if (!isPrivate) return make("public", extractable, usages, publicBytes);
    const seed = fromBase64(d, "d");
    if (toBase64(publicOf(seed)) !== x) fail("DataError", "'x' of the JSON Web Key is not that of 'd'");
    return make("private", extractable, usages, seed);
  };

  const importBytes = (format, bytes, extractable, usages) => {
    switch (format) {
      case "raw":
      case "raw-public":
        onlyFor(usages, "verify");
        if (TypedArrayPrototypeGetByteLength(bytes) !== KEY_BYTES) fail("DataError", `a public key has ${KEY_BYTES} bytes`);
        return make("public", extractable, usages, bytes);
      case "spki":
        onlyFor(usages, "verify");
        return make("public", extractable, usages, fromSpki(bytes));
      case "pkcs8":
        onlyFor(usages, "sign");
        return make("private", extractable, usages, fromPkcs8(bytes));
      default:
        fail("NotSupportedError", `keys of Ed448 have no format '${format}'`);
    }
  };

  const importKey = (format, data, algorithm, extractable, keyUsages) => {
    format = formatOf(format);
    void algorithm;
    extractable = !!extractable;
    const usages = usagesOf(keyUsages);
    const key = format === "jwk"
      ? importJwk(data, extractable, usages)
      : importBytes(format, required(bytesOf(data)), extractable, usages);
    if (WeakMapPrototypeGet(keys, key).type === "private" && usages.length === 0) fail("SyntaxError", "a private key must be for something");
    return key;
  };

  const exportKey = (format, key) => {
    format = formatOf(format);
    const { type, extractable, usages, bytes } = WeakMapPrototypeGet(keys, key);
    if (!extractable) fail("InvalidAccessError", "the key is not extractable");
    const isPrivate = type === "private";
    const only = (wanted) => {
      if (type !== wanted) fail("InvalidAccessError", `a ${type} key has no format '${format}'`);
    };
    switch (format) {
      case "raw":
      case "raw-public":
        only("public");
        return TypedArrayPrototypeGetBuffer(TypedArrayPrototypeSlice(bytes));
      case "spki":
        only("public");
        return withPrefix(SPKI, bytes);
      case "pkcs8":
        only("private");
        return withPrefix(PKCS8, bytes);
      case "jwk": {
        const x = toBase64(isPrivate ? publicOf(bytes) : bytes);
        const pair = isPrivate ? { x, d: toBase64(bytes) } : { x };
        return { kty: "OKP", alg: NAME, crv: NAME, ...pair, key_ops: ArrayPrototypeSlice(usages), ext: true };
      }
      default:
        fail("NotSupportedError", `keys of Ed448 have no format '${format}'`);
    }
  };

  // What is wrapped: the bytes of an export. A wrapping that takes whole blocks gets spaces after JSON.
  const exported = (format, key) => {
    const made = exportKey(format, key);
    if (formatOf(format) !== "jwk") return made;
    const text = JSONStringify(made);
    return core.encode(StringPrototypePadEnd(text, text.length + (8 - text.length % 8) % 8));
  };
  const parsed = (bytes) => {
    try {
      return JSONParse(core.decode(new Uint8Array(bytes)));
    } catch {
      return fail("DataError", "the unwrapped data are not JSON");
    }
  };

  return {
    has,
    importKey,
    exportKey,
    generateKey(algorithm, extractable, keyUsages) {
      void algorithm;
      const usages = usagesOf(keyUsages);
      const signs = ArrayPrototypeFilter(usages, (usage) => usage !== "verify");
      const verifies = ArrayPrototypeFilter(usages, (usage) => usage === "verify");
      onlyFor(signs, "sign");
      if (signs.length === 0) fail("SyntaxError", "a private key must be for something");
      const seed = new Uint8Array(KEY_BYTES);
      op_isle_random(seed);
      return {
        privateKey: make("private", !!extractable, signs, seed),
        publicKey: make("public", true, verifies, publicOf(seed)),
      };
    },
    sign(algorithm, key, data) {
      const context = contextOf(algorithm);
      const bytes = required(bytesOf(data));
      return TypedArrayPrototypeGetBuffer(sign(bytesFor(key, "private", "sign"), context, bytes));
    },
    verify(algorithm, key, signature, data) {
      const context = contextOf(algorithm);
      const signed = required(bytesOf(signature)), bytes = required(bytesOf(data));
      return verify(bytesFor(key, "public", "verify"), context, bytes, signed);
    },
    getPublicKey(key, keyUsages) {
      const usages = usagesOf(keyUsages);
      const { type, bytes } = WeakMapPrototypeGet(keys, key);
      if (type !== "private") fail("NotSupportedError", "the key is not a private one");
      onlyFor(usages, "verify");
      return make("public", true, usages, publicOf(bytes));
    },
    // Wrapping knows the platform's own keys alone: another's bytes travel as those of a secret.
    async wrapKey(format, key, wrappingKey, algorithm) {
      const secret = real.importCryptoKeySync("raw", exported(format, key), SECRET, true, ["sign"]);
      return await ReflectApply(originals.wrapKey, realSubtle(), ["raw", secret, wrappingKey, algorithm]);
    },
    async unwrapKey(format, wrapped, unwrappingKey, unwrapAlgorithm, algorithm, extractable, usages) {
      const args = ["raw", wrapped, unwrappingKey, unwrapAlgorithm, SECRET, true, ["sign"]];
      const secret = await ReflectApply(originals.unwrapKey, realSubtle(), args);
      const bytes = await ReflectApply(originals.exportKey, realSubtle(), ["raw", secret]);
      return importKey(format, formatOf(format) === "jwk" ? parsed(bytes) : bytes, algorithm, extractable, usages);
    },
  };
}

return { setUp };
})();
