// `crypto`, its limits, and what the platform's own lacks.
//
// The real objects live outside the JavaScript heap and so in no snapshot: they are made at the
// first use in an isolate, behind objects that are. Programs see only the latter; the prototypes'
// functions stand between.
(function () {
const { core, primordials } = __bootstrap;
const {
  ArrayBufferIsView,
  ArrayBufferPrototypeGetByteLength,
  ArrayPrototypeIncludes,
  DataViewPrototypeGetBuffer,
  DataViewPrototypeGetByteLength,
  DataViewPrototypeGetByteOffset,
  FunctionPrototypeCall,
  MathCeil,
  NumberPrototypeToString,
  ObjectDefineProperty,
  ReflectApply,
  ReflectGetOwnPropertyDescriptor,
  StringPrototypeSlice,
  StringPrototypeToUpperCase,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeGetSymbolToStringTag,
  TypedArrayPrototypeSlice,
  TypeError,
  Uint8Array,
} = primordials;
const { op_isle_aes_gcm, op_isle_digest, op_isle_random } = core.ops;
const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");
const { QuotaExceededError } = core.loadExtScript("ext:isle/scope.js");
const real = core.loadExtScript("ext:deno_crypto/00_crypto.js");
const { Crypto, SubtleCrypto } = real;

// Before the prototypes are wrapped.
const { get: getSubtle } = ReflectGetOwnPropertyDescriptor(Crypto.prototype, "subtle");
const realSubtle = () => FunctionPrototypeCall(getSubtle, real.crypto);

// While a function's own snapshot is being made the real objects must not come into being;
// `building` tells, `touch` notes.
let building = () => false, touch = () => {};
const watchBuild = (isBuilding, note) => {
  building = isBuilding;
  touch = note;
};

const isBuffer = (value) => {
  try {
    ArrayBufferPrototypeGetByteLength(value);
    return true;
  } catch {
    return false;
  }
};
// The bytes of a BufferSource as a copy; undefined when it is none.
const bytesOf = (source) => {
  if (ArrayBufferIsView(source)) {
    const typed = TypedArrayPrototypeGetSymbolToStringTag(source) !== undefined;
    const buffer = typed ? TypedArrayPrototypeGetBuffer(source) : DataViewPrototypeGetBuffer(source);
    const offset = typed ? TypedArrayPrototypeGetByteOffset(source) : DataViewPrototypeGetByteOffset(source);
    const length = typed ? TypedArrayPrototypeGetByteLength(source) : DataViewPrototypeGetByteLength(source);
    return TypedArrayPrototypeSlice(new Uint8Array(buffer, offset, length));
  }
  return isBuffer(source) ? TypedArrayPrototypeSlice(new Uint8Array(source)) : undefined;
};

// Work that runs outside the isolate's thread is outside its CPU clock and its memory's account, so its
// size has a limit. A step is an HMAC, as in node.rs, or 1 KiB of Argon2's memory filled once.
const STEPS_MAX = 1_000_000, HASHED_BYTES_MAX = 64 << 20, ARGON2_KIB_MAX = 65_536, MODULUS_BITS_MAX = 4_096;
const DIGEST_BITS = { __proto__: null, "SHA-1": 160, "SHA-256": 256, "SHA-384": 384, "SHA-512": 512 };
const ENFORCED = ["iterations", "memory", "passes"], WRAPPING = ["length", "modulusLength"];
const isObject = (value) => value !== null && (typeof value === "object" || typeof value === "function");
// A dictionary whose measures say the same each time they are read.
const settled = (algorithm) => {
  if (!isObject(algorithm)) return algorithm;
  const copy = { __proto__: null, ...algorithm };
  const given = (name) => copy[name] !== undefined && copy[name] !== null;
  for (let i = 0; i < ENFORCED.length; i++) if (given(ENFORCED[i])) copy[ENFORCED[i]] = +copy[ENFORCED[i]];
  for (let i = 0; i < WRAPPING.length; i++) if (given(WRAPPING[i])) copy[WRAPPING[i]] >>>= 0;
  if (isObject(copy.hash)) copy.hash = `${copy.hash.name}`;
  return copy;
};
const atMost = (what, value, max) => {
  if (value > max) throw new DOMException(`${what} may be ${max} at most`, "NotSupportedError");
};
const sizeOf = (source) => {
  const bytes = bytesOf(source);
  return bytes === undefined ? 0 : TypedArrayPrototypeGetByteLength(bytes);
};
const digestBits = (hash) => typeof hash === "string" ? DIGEST_BITS[StringPrototypeToUpperCase(hash)] : undefined;
const boundDerivation = (algorithm, bits) => {
  if (!isObject(algorithm)) return;
  const { hash, info, iterations, memory, passes, salt } = algorithm;
  const blocks = MathCeil(bits / (digestBits(hash) ?? DIGEST_BITS["SHA-1"]));
  atMost("iterations, for each block of the digest's length,", blocks * iterations, STEPS_MAX);
  atMost("bytes of salt and info, for each block of the digest's length,", blocks * (sizeOf(salt) + sizeOf(info)), HASHED_BYTES_MAX);
  atMost("memory", memory, ARGON2_KIB_MAX);
  atMost("memory by passes", memory * passes, STEPS_MAX);
};
// An HMAC key without a length has its digest's block's.
const keyBits = (type) => type?.length ?? (digestBits(type?.hash) > 256 ? 1_024 : 512);
// Each puts what it has compared in the place of what was given.
const BOUNDED = {
  __proto__: null,
  deriveBits(args) {
    args[0] = settled(args[0]);
    if (args[2] !== undefined && args[2] !== null) args[2] >>>= 0;
    boundDerivation(args[0], args[2] ?? 0);
  },
  deriveKey(args) {
    args[0] = settled(args[0]);
    if (args.length > 2) args[2] = settled(args[2]);
    boundDerivation(args[0], keyBits(args[2]));
  },
  generateKey(args) {
    args[0] = settled(args[0]);
    atMost("modulusLength", args[0]?.modulusLength, MODULUS_BITS_MAX);
  },
};

// AES-GCM with initialisation vectors and tags of every length that the standard allows; the
// platform's own does the common ones. undefined: leave it to that.
const TAG_BITS = [32, 64, 96, 104, 112, 120, 128];
const gcm = (decrypt, algorithm, key, data) => {
  if (algorithm === null || typeof algorithm !== "object") return undefined;
  const name = algorithm.name;
  if (typeof name !== "string" || StringPrototypeToUpperCase(name) !== "AES-GCM") return undefined;
  const iv = bytesOf(algorithm.iv);
  const { additionalData } = algorithm;
  const tagBits = algorithm.tagLength ?? 128;
  if (iv === undefined || !ArrayPrototypeIncludes(TAG_BITS, tagBits)) return undefined;
  const ivBytes = TypedArrayPrototypeGetByteLength(iv);
  if (ivBytes === 0 || (tagBits === 128 && (ivBytes === 12 || ivBytes === 16))) return undefined;
  const text = bytesOf(data);
  const aad = additionalData === undefined ? new Uint8Array(0) : bytesOf(additionalData);
  const usable = key instanceof real.CryptoKey && key.algorithm.name === "AES-GCM" &&
    ArrayPrototypeIncludes(key.usages, decrypt ? "decrypt" : "encrypt");
  if (text === undefined || aad === undefined || !usable) return undefined;
  const material = real.cryptoKeyExportNodeKeyMaterial(key).data;
  return TypedArrayPrototypeGetBuffer(op_isle_aes_gcm(decrypt, material, iv, aad, tagBits / 8, text));
};

// Digests of what is not large are made at once: cheaper than a thread, and nothing of them is left
// outside the heap. undefined: leave it to the platform's own.
const DIGESTS = { __proto__: null, "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512" };
const DIGEST_BYTES_MAX = 262_144;
const NO_BYTES = new Uint8Array(0);
const digest = (algorithm, data) => {
  const asked = typeof algorithm === "object" && algorithm !== null ? algorithm.name : algorithm;
  if (typeof asked !== "string") return undefined;
  const name = DIGESTS[StringPrototypeToUpperCase(asked)];
  if (name === undefined) return undefined;
  let bytes;
  try {
    bytes = bytesOf(data);
  } catch {
    return undefined; // a detached buffer
  }
  if (bytes === undefined || TypedArrayPrototypeGetByteLength(bytes) > DIGEST_BYTES_MAX) return undefined;
  return TypedArrayPrototypeGetBuffer(op_isle_digest(name, false, NO_BYTES, bytes));
};

// Ed448, and what keys and signatures must not be, have scripts of their own, which are loaded when somebody first needs
// them.
let ed448, checks;
const theEd448 = () => ed448 ??= core.loadExtScript("ext:isle/ed448.js").setUp(real, originals, realSubtle, bytesOf);
const theChecks = () => checks ??= core.loadExtScript("ext:isle/crypto_checks.js").setUp(real, originals, realSubtle);
const isNamed = (algorithm, upperCase) => {
  const name = algorithm !== null && typeof algorithm === "object" ? algorithm.name : algorithm;
  return typeof name === "string" && name.length === upperCase.length && StringPrototypeToUpperCase(name) === upperCase;
};
const isEd448 = (algorithm) => isNamed(algorithm, "ED448");
const isEd448Key = (key) => ed448 !== undefined && ed448.has(key);

// What takes the place of the platform's own; undefined: nothing does.
const SPECIAL = {
  __proto__: null,
  encrypt: (algorithm, key, data) => gcm(false, algorithm, key, data),
  decrypt: (algorithm, key, data) => gcm(true, algorithm, key, data),
  generateKey: (...args) => isEd448(args[0]) ? ReflectApply(theEd448().generateKey, undefined, args) : undefined,
  importKey: (...args) => isEd448(args[2]) ? ReflectApply(theEd448().importKey, undefined, args) : undefined,
  exportKey: (format, key) => isEd448Key(key) ? ed448.exportKey(format, key) : undefined,
  getPublicKey: (key, usages) => isEd448Key(key) ? ed448.getPublicKey(key, usages) : undefined,
  sign: (algorithm, key, data) => isEd448(algorithm) ? theEd448().sign(algorithm, key, data) : undefined,
  verify(algorithm, key, signature, data) {
    if (isEd448(algorithm)) return theEd448().verify(algorithm, key, signature, data);
    if (!isNamed(algorithm, "ED25519") || !(key instanceof real.CryptoKey)) return undefined;
    return theChecks().isForged(key, bytesOf(signature)) ? false : undefined;
  },
  wrapKey: (...args) => isEd448Key(args[1]) ? ReflectApply(ed448.wrapKey, undefined, args) : undefined,
  unwrapKey: (...args) => isEd448(args[4]) ? ReflectApply(theEd448().unwrapKey, undefined, args) : undefined,
};

// The bits beyond a length that is no whole number of bytes are zero.
const maskBits = (buffer, length) => {
  const bytes = new Uint8Array(buffer);
  if (typeof length === "number" && length % 8 !== 0 && bytes.length * 8 > length) {
    bytes[bytes.length - 1] &= 0xff << (8 - length % 8);
  }
  return buffer;
};

// What becomes of the platform's own results.
const AFTER = {
  __proto__: null,
  deriveBits: (result, args) => maskBits(result, args[2]),
  exportKey(result) {
    if (result.kty === "OKP" && result.crv === "Ed25519") result.alg = "Ed25519";
    return result;
  },
  async importKey(result, args) {
    if (args[0] === "jwk") await theChecks().checkJwk(args[1]);
    return result;
  },
};

const originals = { __proto__: null };
const subtle = { __proto__: SubtleCrypto.prototype, [webidl.brand]: webidl.brand };
ObjectDefineProperty(subtle, webidl.brand, { __proto__: null, enumerable: false });
const wrapSubtle = (name) => {
  const original = originals[name] = SubtleCrypto.prototype[name];
  const wrapper = { async [name](...args) {
    if (this !== subtle) throw new TypeError("Illegal invocation");
    if (name === "digest") {
      const made = ReflectApply(digest, undefined, args);
      if (made !== undefined) return made;
    }
    if (building()) {
      touch(`crypto.subtle.${name}`);
      throw new DOMException("not while a snapshot is made", "NotSupportedError");
    }
    if (name in BOUNDED && args.length > 0) BOUNDED[name](args);
    const special = SPECIAL[name] === undefined ? undefined : ReflectApply(SPECIAL[name], undefined, args);
    if (special !== undefined) return special;
    const result = await ReflectApply(original, realSubtle(), args);
    return AFTER[name] === undefined ? result : AFTER[name](result, args);
  } }[name];
  ObjectDefineProperty(wrapper, "length", { __proto__: null, value: original.length, configurable: true });
  ObjectDefineProperty(SubtleCrypto.prototype, name, {
    __proto__: null, value: wrapper, writable: true, enumerable: true, configurable: true,
  });
};
// This script runs when a program first looks at `crypto`. Whatever the program has done to arrays'
// iterators by then, every one of these is wrapped.
const WRAPPED = [
  "digest", "encrypt", "decrypt", "sign", "verify", "deriveBits", "deriveKey", "importKey", "exportKey", "wrapKey",
  "unwrapKey", "generateKey", "getPublicKey", "encapsulateBits", "encapsulateKey", "decapsulateBits", "decapsulateKey",
];
for (let i = 0; i < WRAPPED.length; i++) wrapSubtle(WRAPPED[i]);

// The platform's own keeps UUIDs in store, which a snapshot would hand out again and again.
const buildersUuid = () => {
  const bytes = new Uint8Array(16);
  op_isle_random(bytes);
  bytes[6] = bytes[6] & 15 | 64;
  bytes[8] = bytes[8] & 63 | 128;
  let text = "";
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += "-";
    text += StringPrototypeSlice(NumberPrototypeToString(bytes[i] + 256, 16), 1);
  }
  return text;
};

const crypto = { __proto__: Crypto.prototype, [webidl.brand]: webidl.brand };
ObjectDefineProperty(crypto, webidl.brand, { __proto__: null, enumerable: false });
const checkThis = (receiver) => {
  if (receiver !== crypto) throw new TypeError("Illegal invocation");
};
const { getRandomValues, randomUUID } = Crypto.prototype;
const RANDOM_BYTES_MAX = 65_536;
const members = {
  get subtle() {
    checkThis(this);
    return subtle;
  },
  getRandomValues(array) {
    checkThis(this);
    if (ArrayBufferIsView(array) && array.byteLength > RANDOM_BYTES_MAX) {
      const tag = TypedArrayPrototypeGetSymbolToStringTag(array);
      if (tag !== undefined && tag !== "Float16Array" && tag !== "Float32Array" && tag !== "Float64Array") {
        throw new QuotaExceededError(`${RANDOM_BYTES_MAX} random bytes at one time are the most`);
      }
    }
    if (!building()) return ReflectApply(getRandomValues, real.crypto, arguments);
    touch("crypto.getRandomValues");
    op_isle_random(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    return array;
  },
  randomUUID() {
    checkThis(this);
    if (!building()) return FunctionPrototypeCall(randomUUID, real.crypto);
    touch("crypto.randomUUID");
    return buildersUuid();
  },
};
const MEMBERS = ["subtle", "getRandomValues", "randomUUID"];
for (let i = 0; i < MEMBERS.length; i++) {
  ObjectDefineProperty(Crypto.prototype, MEMBERS[i], {
    __proto__: null,
    ...ReflectGetOwnPropertyDescriptor(members, MEMBERS[i]),
    enumerable: true,
    configurable: true,
  });
}

return { crypto, watchBuild };
})();
