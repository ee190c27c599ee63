// node:buffer
(() => {
  const { core } = __bootstrap;
  const utf8 = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const TA = Uint8Array;
  const MAX_LENGTH = 2 ** 32, MAX_STRING = 2 ** 29 - 24;
  const coded = (error, code) => Object.assign(error, { code });
  const received = (value) =>
    value === null || value === undefined ? `Received ${value}` : `Received ${typeof value === "object" || typeof value === "function" ? `an instance of ${value.constructor?.name ?? "Object"}` : `type ${typeof value} (${String(value)})`}`;
  const wrongType = (name, expected, value) =>
    coded(new TypeError(`The "${name}" argument must be ${expected}. ${received(value)}`), "ERR_INVALID_ARG_TYPE");
  const outOfRange = (name, expected, value) =>
    coded(new RangeError(`The value of "${name}" is out of range. It must be ${expected}. Received ${value}`), "ERR_OUT_OF_RANGE");

  const ENCODINGS = {
    __proto__: null, utf8: "utf8", "utf-8": "utf8", hex: "hex", base64: "base64", base64url: "base64url", ascii: "ascii",
    latin1: "latin1", binary: "latin1", ucs2: "utf16le", "ucs-2": "utf16le", utf16le: "utf16le", "utf-16le": "utf16le",
  };
  const encodingOf = (name) => {
    if (name === undefined || name === null || name === "") return "utf8";
    const encoding = ENCODINGS[name] ?? ENCODINGS[String(name).toLowerCase()];
    if (encoding === undefined) throw coded(new TypeError(`Unknown encoding: ${name}`), "ERR_UNKNOWN_ENCODING");
    return encoding;
  };

  const latin1 = (text) => {
    const bytes = new TA(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return bytes;
  };
  const encode = (text, encoding) => {
    switch (encoding) {
      case "utf8":
        return utf8.encode(text);
      case "hex": {
        const bytes = new TA(text.length >> 1);
        for (let i = 0; i < bytes.length; i++) {
          const pair = text.substr(i * 2, 2);
          if (!/^[0-9a-fA-F]{2}$/.test(pair)) return bytes.subarray(0, i);
          bytes[i] = parseInt(pair, 16);
        }
        return bytes;
      }
      case "base64":
      case "base64url": {
        // Node reads both alphabets, stops at the padding and skips what belongs to neither.
        let clean = text.replace(/=[^]*$/, "").replace(/-/g, "+").replace(/_/g, "/").replace(/[^A-Za-z0-9+/]/g, "");
        if (clean.length % 4 === 1) clean = clean.slice(0, -1);
        return latin1(atob(clean));
      }
      case "utf16le": {
        const bytes = new TA(text.length * 2);
        for (let i = 0; i < text.length; i++) {
          const unit = text.charCodeAt(i);
          bytes[i * 2] = unit;
          bytes[i * 2 + 1] = unit >> 8;
        }
        return bytes;
      }
      default:
        return latin1(text);
    }
  };
  const chars = (bytes, mask) => {
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) {
      const part = bytes.subarray(i, i + 8192);
      text += String.fromCharCode.apply(null, mask === 255 ? part : part.map((byte) => byte & mask));
    }
    return text;
  };
  const HEX = Array.from({ length: 256 }, (_, i) => (i + 256).toString(16).slice(1));
  const decode = (bytes, encoding) => {
    switch (encoding) {
      case "utf8":
        return decoder.decode(bytes);
      case "hex": {
        let text = "";
        for (let i = 0; i < bytes.length; i++) text += HEX[bytes[i]];
        return text;
      }
      case "base64":
        return btoa(chars(bytes, 255));
      case "base64url":
        return btoa(chars(bytes, 255)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
      case "ascii":
        return chars(bytes, 127);
      case "utf16le": {
        let text = "";
        for (let i = 0; i + 1 < bytes.length; i += 2) text += String.fromCharCode(bytes[i] | bytes[i + 1] << 8);
        return text;
      }
      default:
        return chars(bytes, 255);
    }
  };

  const asBuffer = (bytes) => {
    Object.setPrototypeOf(bytes, Buffer.prototype);
    return bytes;
  };
  const view = (value) => new TA(value.buffer, value.byteOffset, value.byteLength);
  const bytesOf = (value, encoding) => {
    if (typeof value === "string") return encode(value, encodingOf(encoding));
    if (ArrayBuffer.isView(value)) return view(value);
    throw wrongType("value", "of type string or an instance of Buffer or Uint8Array", value);
  };
  const size = (value) => {
    if (typeof value !== "number") throw wrongType("size", "of type number", value);
    if (!(value >= 0 && value <= MAX_LENGTH)) throw outOfRange("size", `>= 0 && <= ${MAX_LENGTH}`, value);
    return value;
  };

  // A function, not a class: `Buffer(n)` without `new` is legal, if deprecated.
  function Buffer(value, encodingOrOffset, length) {
    if (typeof value === "number") return Buffer.alloc(value);
    return Buffer.from(value, encodingOrOffset, length);
  }
  Object.setPrototypeOf(Buffer, TA);
  Object.setPrototypeOf(Buffer.prototype, TA.prototype);

  const statics = {
    from(value, encodingOrOffset, length) {
      if (typeof value === "string") return asBuffer(encode(value, encodingOf(encodingOrOffset)));
      if (typeof value === "object" && value !== null) {
        if (value instanceof ArrayBuffer || core.isArrayBuffer?.(value)) {
          return asBuffer(new TA(value, encodingOrOffset, length));
        }
        if (ArrayBuffer.isView(value)) return asBuffer(TA.from(value instanceof DataView ? view(value) : value));
        const primitive = value.valueOf?.();
        if (primitive !== null && primitive !== undefined && primitive !== value) return Buffer.from(primitive, encodingOrOffset, length);
        if (value.type === "Buffer" && Array.isArray(value.data)) return asBuffer(TA.from(value.data));
        if (value.length !== undefined || Symbol.iterator in value) return asBuffer(TA.from(value));
        if (typeof value[Symbol.toPrimitive] === "function") return Buffer.from(value[Symbol.toPrimitive]("string"), encodingOrOffset);
      }
      throw wrongType("first argument", "of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object", value);
    },
    of: (...items) => asBuffer(TA.of(...items)),
    alloc(length, fill, encoding) {
      const buffer = asBuffer(new TA(size(length)));
      return fill === undefined || fill === 0 ? buffer : buffer.fill(fill, encoding);
    },
    allocUnsafe: (length) => asBuffer(new TA(size(length))),
    allocUnsafeSlow: (length) => asBuffer(new TA(size(length))),
    isBuffer: (value) => value instanceof Buffer,
    isEncoding: (name) => typeof name === "string" && name !== "" && (name.toLowerCase() in ENCODINGS),
    byteLength(value, encoding) {
      if (typeof value !== "string") {
        if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength;
        throw wrongType("string", "of type string or an instance of Buffer or ArrayBuffer", value);
      }
      return encode(value, ENCODINGS[String(encoding ?? "utf8").toLowerCase()] ?? "utf8").length;
    },
    concat(list, total) {
      if (!Array.isArray(list)) throw wrongType("list", "an instance of Array", list);
      total ??= list.reduce((sum, part) => sum + part.length, 0);
      const out = Buffer.alloc(total);
      let at = 0;
      for (const part of list) {
        if (!(part instanceof TA)) throw wrongType("list[0]", "an instance of Buffer or Uint8Array", part);
        if (at >= total) break;
        const fits = part.length > total - at ? part.subarray(0, total - at) : part;
        out.set(fits, at);
        at += fits.length;
      }
      return out;
    },
    compare(a, b) {
      const length = Math.min(a.length, b.length);
      for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
      return a.length === b.length ? 0 : a.length < b.length ? -1 : 1;
    },
    copyBytesFrom: (source, offset = 0, length = source.length - offset) =>
      asBuffer(TA.from(view(source.subarray(offset, offset + length)))),
    poolSize: 8192,
  };
  for (const name of Object.keys(statics)) {
    Object.defineProperty(Buffer, name, { value: statics[name], writable: true, configurable: true, enumerable: true });
  }

  const search = (buffer, value, from, encoding, backwards) => {
    if (typeof from === "string") [encoding, from] = [from, undefined];
    const needle = typeof value === "number" ? TA.of(value) : bytesOf(value, encoding);
    let at = from === undefined || Number.isNaN(+from) ? (backwards ? buffer.length : 0) : Math.trunc(+from);
    if (at < 0) at += buffer.length;
    const last = buffer.length - needle.length;
    if (backwards) {
      for (let i = Math.min(at, last); i >= 0; i--) if (matches(buffer, needle, i)) return i;
    } else {
      for (let i = Math.max(at, 0); i <= last; i++) if (matches(buffer, needle, i)) return i;
    }
    return -1;
  };
  const matches = (buffer, needle, at) => {
    for (let i = 0; i < needle.length; i++) if (buffer[at + i] !== needle[i]) return false;
    return true;
  };

  const methods = {
    toString(encoding, start = 0, end = this.length) {
      start = Math.max(0, Math.trunc(start) || 0);
      end = Math.min(this.length, end === undefined ? this.length : Math.trunc(end) || 0);
      if (end <= start) return "";
      return decode(view(this).subarray(start, end), encodingOf(encoding));
    },
    toJSON() {
      return { type: "Buffer", data: Array.from(this) };
    },
    equals(other) {
      if (!(other instanceof TA)) throw wrongType("otherBuffer", "an instance of Buffer or Uint8Array", other);
      return Buffer.compare(this, other) === 0;
    },
    compare(target, targetStart = 0, targetEnd = target.length, start = 0, end = this.length) {
      return Buffer.compare(this.subarray(start, end), target.subarray(targetStart, targetEnd));
    },
    copy(target, at = 0, start = 0, end = this.length) {
      let part = this.subarray(start, end);
      if (part.length > target.length - at) part = part.subarray(0, Math.max(0, target.length - at));
      target.set(part, at);
      return part.length;
    },
    write(text, offset, length, encoding) {
      if (typeof offset === "string") [encoding, offset, length] = [offset, 0, undefined];
      else if (typeof length === "string") [encoding, length] = [length, undefined];
      offset = offset === undefined ? 0 : Math.trunc(offset);
      if (offset < 0 || offset > this.length) throw outOfRange("offset", `>= 0 && <= ${this.length}`, offset);
      const room = Math.min(length ?? Infinity, this.length - offset);
      let bytes = encode(String(text), encodingOf(encoding));
      if (bytes.length > room) {
        let end = room;
        // No half characters.
        if (encodingOf(encoding) === "utf8") while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
        bytes = bytes.subarray(0, end);
      }
      this.set(bytes, offset);
      return bytes.length;
    },
    fill(value, offset = 0, end = this.length, encoding = undefined) {
      if (typeof offset === "string") [encoding, offset, end] = [offset, 0, this.length];
      else if (typeof end === "string") [encoding, end] = [end, this.length];
      if (typeof value === "number" || typeof value === "boolean") {
        TA.prototype.fill.call(this, Number(value) & 255, offset, end);
        return this;
      }
      const bytes = bytesOf(value, encoding);
      if (bytes.length === 0) TA.prototype.fill.call(this, 0, offset, end);
      else for (let i = offset; i < end; i++) this[i] = bytes[(i - offset) % bytes.length];
      return this;
    },
    indexOf(value, from, encoding) {
      return search(this, value, from, encoding, false);
    },
    lastIndexOf(value, from, encoding) {
      return search(this, value, from, encoding, true);
    },
    includes(value, from, encoding) {
      return search(this, value, from, encoding, false) !== -1;
    },
    // Unlike an array's, it shares the memory.
    slice(start, end) {
      return this.subarray(start, end);
    },
    subarray(start, end) {
      return asBuffer(TA.prototype.subarray.call(view(this), start, end));
    },
    swap16() {
      for (let i = 0; i + 1 < this.length; i += 2) [this[i], this[i + 1]] = [this[i + 1], this[i]];
      return this;
    },
    swap32() {
      for (let i = 0; i + 3 < this.length; i += 4) this.subarray(i, i + 4).reverse();
      return this;
    },
    readUIntBE(offset, length) {
      let value = 0;
      for (let i = 0; i < length; i++) value = value * 256 + this[offset + i];
      return value;
    },
    readUIntLE(offset, length) {
      let value = 0;
      for (let i = length - 1; i >= 0; i--) value = value * 256 + this[offset + i];
      return value;
    },
    readIntBE(offset, length) {
      const value = this.readUIntBE(offset, length);
      return value >= 2 ** (8 * length - 1) ? value - 2 ** (8 * length) : value;
    },
    readIntLE(offset, length) {
      const value = this.readUIntLE(offset, length);
      return value >= 2 ** (8 * length - 1) ? value - 2 ** (8 * length) : value;
    },
    writeUIntBE(value, offset, length) {
      for (let i = length - 1; i >= 0; i--) {
        this[offset + i] = value % 256;
        value = Math.floor(value / 256);
      }
      return offset + length;
    },
    writeUIntLE(value, offset, length) {
      for (let i = 0; i < length; i++) {
        this[offset + i] = value % 256;
        value = Math.floor(value / 256);
      }
      return offset + length;
    },
    writeIntBE(value, offset, length) {
      return this.writeUIntBE(value < 0 ? value + 2 ** (8 * length) : value, offset, length);
    },
    writeIntLE(value, offset, length) {
      return this.writeUIntLE(value < 0 ? value + 2 ** (8 * length) : value, offset, length);
    },
  };
  for (const [name, type, bytes] of [
    ["UInt8", "Uint8", 1], ["Int8", "Int8", 1], ["UInt16", "Uint16", 2], ["Int16", "Int16", 2], ["UInt32", "Uint32", 4],
    ["Int32", "Int32", 4], ["Float", "Float32", 4], ["Double", "Float64", 8], ["BigUInt64", "BigUint64", 8],
    ["BigInt64", "BigInt64", 8],
  ]) {
    for (const end of bytes === 1 ? [""] : ["LE", "BE"]) {
      const little = end === "LE";
      const get = DataView.prototype[`get${type}`], set = DataView.prototype[`set${type}`];
      const at = (buffer, offset) => {
        if (typeof offset !== "number") throw wrongType("offset", "of type number", offset);
        if (!Number.isInteger(offset)) throw outOfRange("offset", "an integer", offset);
        if (offset < 0 || offset + bytes > buffer.length) throw outOfRange("offset", `>= 0 and <= ${buffer.length - bytes}`, offset);
        return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
      };
      const integer = type.includes("nt") && bytes < 8;
      const [min, max] = type.startsWith("U") ? [0, 2 ** (8 * bytes) - 1] : [-(2 ** (8 * bytes - 1)), 2 ** (8 * bytes - 1) - 1];
      methods[`read${name}${end}`] = function (offset = 0) {
        return get.call(at(this, offset), offset, little);
      };
      methods[`write${name}${end}`] = function (value, offset = 0) {
        if (integer && (+value < min || +value > max)) throw outOfRange("value", `>= ${min} and <= ${max}`, value);
        set.call(at(this, offset), offset, value, little);
        return offset + bytes;
      };
    }
  }
  for (const name of Object.keys(methods)) {
    if (name.includes("UInt")) methods[name.replace("UInt", "Uint")] = methods[name];
  }
  methods[Symbol.for("nodejs.util.inspect.custom")] = function () {
    const shown = Array.from(view(this).subarray(0, 50), (byte) => HEX[byte]).join(" ");
    return `<Buffer${shown === "" ? "" : " "}${shown}${this.length > 50 ? ` ... ${this.length - 50} more bytes` : ""}>`;
  };
  methods[Symbol.for("Deno.customInspect")] = methods[Symbol.for("nodejs.util.inspect.custom")];
  for (const name of Reflect.ownKeys(methods)) {
    Object.defineProperty(Buffer.prototype, name, { value: methods[name], writable: true, configurable: true });
  }
  Object.defineProperty(Buffer.prototype, "parent", { get() { return this.buffer; }, configurable: true });
  Object.defineProperty(Buffer.prototype, "offset", { get() { return this.byteOffset; }, configurable: true });
  Buffer.prototype.toLocaleString = Buffer.prototype.toString;

  const { Blob, File, atob, btoa } = globalThis;
  return {
    Buffer,
    SlowBuffer: (length) => Buffer.allocUnsafe(length),
    Blob,
    File,
    atob,
    btoa,
    kMaxLength: MAX_LENGTH,
    kStringMaxLength: MAX_STRING,
    constants: { MAX_LENGTH, MAX_STRING_LENGTH: MAX_STRING },
    INSPECT_MAX_BYTES: 50,
    isUtf8: (input) => {
      try {
        new TextDecoder("utf-8", { fatal: true }).decode(input);
        return true;
      } catch {
        return false;
      }
    },
    isAscii: (input) => bytesOf(ArrayBuffer.isView(input) ? input : new TA(input)).every((byte) => byte < 128),
    transcode: (source, from, to) => Buffer.from(decode(view(source), encodingOf(from)), to),
  };
})()
