// node:crypto: random bytes, digests and MACs at once; keys and signatures by `webcrypto`.
(() => {
  const { core } = __bootstrap;
  const { op_isle_digest, op_isle_pbkdf2 } = core.ops;
  const { Buffer } = __bootstrap.node("buffer");
  const { Transform } = __bootstrap.node("stream");
  const coded = (error, code) => Object.assign(error, { code });
  const webcrypto = globalThis.crypto;
  const NAMES = { __proto__: null, md5: "md5", sha1: "sha1", sha224: "sha224", sha256: "sha256", sha384: "sha384", sha512: "sha512", "sha512-256": "sha512-256" };
  const algorithm = (name) => {
    const found = NAMES[String(name).toLowerCase().replace(/^rsa-|^sha-(?=\d)/, (prefix) => prefix === "sha-" ? "sha" : "")];
    if (found === undefined) throw new Error(`Digest method not supported: ${name}`);
    return found;
  };
  const bytes = (data, encoding, name = "data") => {
    if (typeof data === "string") return Buffer.from(data, encoding === "buffer" ? "utf8" : encoding);
    if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (data instanceof ArrayBuffer) return new Uint8Array(data);
    if (data instanceof SecretKey) return data.export();
    throw coded(new TypeError(`The "${name}" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received ${data === null ? "null" : typeof data}`), "ERR_INVALID_ARG_TYPE");
  };
  const encoded = (buffer, encoding) => encoding === undefined || encoding === "buffer" ? buffer : buffer.toString(encoding);

  class Digest extends Transform {
    #name;
    #key;
    #parts = [];
    #done = false;
    constructor(name, key, parts = []) {
      super();
      this.#name = name;
      this.#key = key;
      this.#parts = parts;
    }
    update(data, encoding) {
      if (this.#done) throw coded(new Error("Digest already called"), "ERR_CRYPTO_HASH_FINALIZED");
      // A copy: the caller may write to his own before the digest is asked for.
      this.#parts.push(Uint8Array.from(bytes(data, encoding)));
      return this;
    }
    digest(encoding) {
      if (this.#done) throw coded(new Error("Digest already called"), "ERR_CRYPTO_HASH_FINALIZED");
      this.#done = true;
      const data = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts);
      const out = op_isle_digest(this.#name, this.#key !== undefined, this.#key ?? new Uint8Array(0), data);
      return encoded(Buffer.from(out.buffer, out.byteOffset, out.byteLength), encoding);
    }
    copy() {
      return new Digest(this.#name, this.#key, this.#parts.slice());
    }
    _transform(chunk, encoding, done) {
      this.update(chunk, encoding);
      done();
    }
    _flush(done) {
      done(null, this.digest());
    }
  }
  class SecretKey {
    #bytes;
    type = "secret";
    constructor(key) {
      this.#bytes = Buffer.from(key);
    }
    get symmetricKeySize() {
      return this.#bytes.length;
    }
    export(options) {
      return options?.format === "jwk" ? { kty: "oct", k: this.#bytes.toString("base64url") } : Buffer.from(this.#bytes);
    }
    equals(other) {
      return other instanceof SecretKey && other.export().equals(this.#bytes);
    }
  }

  const randomBytes = (size, callback) => {
    if (!Number.isInteger(size) || size < 0 || size > 2 ** 31 - 1) throw coded(new RangeError(`The value of "size" is out of range. It must be >= 0 && <= 2147483647. Received ${size}`), "ERR_OUT_OF_RANGE");
    const out = Buffer.alloc(size);
    randomFillSync(out);
    if (callback === undefined) return out;
    queueMicrotask(() => callback(null, out));
  };
  const randomFillSync = (target, offset = 0, size = target.byteLength - offset) => {
    const view = ArrayBuffer.isView(target) ? new Uint8Array(target.buffer, target.byteOffset + offset, size) : new Uint8Array(target, offset, size);
    // The web's function takes 64 KiB at a time.
    for (let at = 0; at < view.length; at += 65_536) webcrypto.getRandomValues(view.subarray(at, at + 65_536));
    return target;
  };
  const randomInt = (min, max, callback) => {
    if (max === undefined || typeof max === "function") [min, max, callback] = [0, min, max];
    const range = max - min;
    if (!Number.isSafeInteger(min) || !Number.isSafeInteger(max) || range <= 0 || range > 2 ** 48 - 1) throw coded(new RangeError(`The value of "max" is out of range. Received ${max}`), "ERR_OUT_OF_RANGE");
    const limit = 2 ** 48 - 2 ** 48 % range;
    let value;
    do value = randomBytes(6).readUIntBE(0, 6);
    while (value >= limit);
    value = value % range + min;
    if (callback === undefined) return value;
    queueMicrotask(() => callback(undefined, value));
  };
  const timingSafeEqual = (a, b) => {
    a = bytes(a, undefined, "buf1");
    b = bytes(b, undefined, "buf2");
    if (a.length !== b.length) throw coded(new RangeError("Input buffers must have the same byte length"), "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH");
    let difference = 0;
    for (let i = 0; i < a.length; i++) difference |= a[i] ^ b[i];
    return difference === 0;
  };
  // Rust's limit on one call, which nothing can interrupt.
  const PBKDF2_STEPS_MAX = 1_000_000;
  const pbkdf2Sync = (password, salt, iterations, length, digest) => {
    const out = op_isle_pbkdf2(algorithm(digest), bytes(password, undefined, "password"), bytes(salt, undefined, "salt"), iterations, length);
    if (out.length !== length) throw coded(new RangeError(`PBKDF2 may take 1 to ${PBKDF2_STEPS_MAX} steps. Received ${iterations} for ${length} bytes`), "ERR_OUT_OF_RANGE");
    return Buffer.from(out.buffer, out.byteOffset, out.byteLength);
  };
  const hkdfSync = (digest, key, salt, info, length) => {
    const mac = (key, ...parts) => parts.reduce((hmac, part) => hmac.update(part), new Digest(algorithm(digest), key)).digest();
    const size = mac(new Uint8Array(0)).length;
    salt = bytes(salt, undefined, "salt");
    const secret = mac(salt.length === 0 ? new Uint8Array(size) : salt, bytes(key, undefined, "ikm"));
    let block = Buffer.alloc(0);
    const out = [];
    for (let i = 1; i <= Math.ceil(length / size); i++) out.push(block = mac(secret, block, bytes(info), Uint8Array.of(i)));
    return new Uint8Array(Buffer.concat(out, length)).buffer;
  };
  const later = (run, callback) =>
    queueMicrotask(() => {
      let result;
      try {
        result = run();
      } catch (error) {
        return callback(error);
      }
      callback(null, result);
    });
  const crypto = {
    webcrypto,
    subtle: webcrypto.subtle,
    getRandomValues: (array) => webcrypto.getRandomValues(array),
    randomUUID: () => webcrypto.randomUUID(),
    randomBytes,
    pseudoRandomBytes: randomBytes,
    randomFillSync,
    randomFill(target, offset, size, callback) {
      const done = [offset, size, callback].find((argument) => typeof argument === "function");
      later(() => randomFillSync(target, typeof offset === "number" ? offset : undefined, typeof size === "number" ? size : undefined), done);
    },
    randomInt,
    createHash: (name) => new Digest(algorithm(name)),
    createHmac: (name, key, options) => new Digest(algorithm(name), Uint8Array.from(bytes(key, options?.encoding, "key"))),
    hash: (name, data, encoding = "hex") => new Digest(algorithm(name)).update(data).digest(encoding),
    getHashes: () => Object.keys(NAMES),
    getCiphers: () => [],
    getCurves: () => [],
    timingSafeEqual,
    pbkdf2Sync,
    pbkdf2: (password, salt, iterations, length, digest, callback) => later(() => pbkdf2Sync(password, salt, iterations, length, digest), callback),
    hkdfSync,
    hkdf: (digest, key, salt, info, length, callback) => later(() => hkdfSync(digest, key, salt, info, length), callback),
    createSecretKey: (key, encoding) => new SecretKey(bytes(key, encoding, "key")),
    KeyObject: SecretKey,
    Hash: Digest,
    Hmac: Digest,
    constants: {},
  };
  for (const name of [
    "createSign", "createVerify", "sign", "verify", "createCipheriv", "createDecipheriv", "createPrivateKey", "createPublicKey",
    "generateKeyPair", "generateKeyPairSync", "publicEncrypt", "privateDecrypt", "privateEncrypt", "publicDecrypt",
    "createDiffieHellman", "createECDH", "scrypt", "scryptSync",
  ]) {
    crypto[name] = () => {
      throw coded(new Error(`crypto.${name}() is not available to functions; crypto.webcrypto.subtle may do the same`), "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM");
    };
  }
  return crypto;
})()
