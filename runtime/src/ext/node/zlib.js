// node:zlib over the platform's compressors: gzip, deflate, raw deflate and brotli, at one level each.
(() => {
  const { core } = __bootstrap;
  const { op_compression_new, op_compression_write, op_compression_finish } = core.ops;
  const { Buffer } = __bootstrap.node("buffer");
  const { Transform } = __bootstrap.node("stream");
  const bytes = (data) => {
    if (typeof data === "string") return Buffer.from(data);
    if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (data instanceof ArrayBuffer) return new Uint8Array(data);
    throw Object.assign(new TypeError(`The "buffer" argument must be of type string or an instance of Buffer, TypedArray, DataView, or ArrayBuffer. Received ${typeof data}`), { code: "ERR_INVALID_ARG_TYPE" });
  };
  const node = (view) => Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  const wrong = (error) => Object.assign(new Error(error.message), { code: "Z_DATA_ERROR", errno: -3 });
  const gzipped = (data) => data[0] === 31 && data[1] === 139;
  const KINDS = {
    Gzip: ["gzip", false], Gunzip: ["gzip", true], Deflate: ["deflate", false], Inflate: ["deflate", true],
    DeflateRaw: ["deflate-raw", false], InflateRaw: ["deflate-raw", true], BrotliCompress: ["brotli", false],
    BrotliDecompress: ["brotli", true], Unzip: [undefined, true],
  };
  const zlib = {};
  for (const [name, [format, decompress]] of Object.entries(KINDS)) {
    // In slices, so that what came of one is counted before the next, and a limit can stop a bomb. Of
    // deflate, a byte becomes a thousand at most; of brotli, ten may become 16 MiB.
    const sliceBytes = decompress && format === "brotli" ? 16 : 16_384;
    const write = (resource, input, take) => {
      for (let at = 0; at < input.length; at += sliceBytes) {
        const part = op_compression_write(resource, Uint8Array.from(input.subarray(at, at + sliceBytes)));
        if (part.length > 0) take(part);
      }
    };
    const start = (data) => op_compression_new(format ?? (gzipped(data) ? "gzip" : "deflate"), decompress);
    const once = (data, options) => {
      const input = bytes(data), max = options?.maxOutputLength ?? Infinity;
      let out;
      try {
        const resource = start(input);
        const parts = [];
        let size = 0;
        write(resource, input, (part) => {
          size += part.length;
          if (size > max) throw Object.assign(new RangeError(`Cannot create a Buffer larger than ${max} bytes`), { code: "ERR_BUFFER_TOO_LARGE" });
          parts.push(part);
        });
        parts.push(op_compression_finish(resource, true));
        out = Buffer.concat(parts.map(node));
      } catch (error) {
        throw error.code === undefined ? wrong(error) : error;
      }
      return out;
    };
    function Codec(options) {
      if (!(this instanceof Codec)) return new Codec(options);
      Transform.call(this, options);
      this.bytesWritten = 0;
    }
    Object.setPrototypeOf(Codec.prototype, Transform.prototype);
    Object.setPrototypeOf(Codec, Transform);
    Object.defineProperty(Codec, "name", { value: name });
    Codec.prototype._transform = function (chunk, _encoding, done) {
      try {
        const data = Uint8Array.from(bytes(chunk));
        this._codec ??= start(data);
        this.bytesWritten += data.length;
        write(this._codec, data, (part) => this.push(node(part)));
      } catch (error) {
        return done(wrong(error));
      }
      done();
    };
    Codec.prototype._flush = function (done) {
      try {
        this._codec ??= start(new Uint8Array(0));
        const out = op_compression_finish(this._codec, true);
        done(null, out.length > 0 ? node(out) : undefined);
      } catch (error) {
        done(wrong(error));
      }
    };
    Codec.prototype.close = function (done) {
      if (done) this.once("close", done);
      this.destroy();
    };
    Codec.prototype.flush = function (kind, done) {
      queueMicrotask(typeof kind === "function" ? kind : done ?? (() => {}));
    };
    const verb = name[0].toLowerCase() + name.slice(1);
    zlib[name] = Codec;
    zlib[`create${name}`] = (options) => new Codec(options);
    zlib[`${verb}Sync`] = once;
    zlib[verb] = (data, options, callback = options) =>
      queueMicrotask(() => {
        let out;
        try {
          out = once(data, typeof options === "function" ? undefined : options);
        } catch (error) {
          return callback(error);
        }
        callback(null, out);
      });
  }
  let table;
  zlib.crc32 = (data, value = 0) => {
    table ??= Int32Array.from({ length: 256 }, (_, n) => {
      for (let k = 0; k < 8; k++) n = n & 1 ? n >>> 1 ^ 0xedb88320 : n >>> 1;
      return n;
    });
    let crc = ~value;
    for (const byte of bytes(data)) crc = table[(crc ^ byte) & 255] ^ crc >>> 8;
    return ~crc >>> 0;
  };
  zlib.constants = {
    Z_NO_FLUSH: 0, Z_PARTIAL_FLUSH: 1, Z_SYNC_FLUSH: 2, Z_FULL_FLUSH: 3, Z_FINISH: 4, Z_BLOCK: 5, Z_OK: 0, Z_STREAM_END: 1,
    Z_NO_COMPRESSION: 0, Z_BEST_SPEED: 1, Z_BEST_COMPRESSION: 9, Z_DEFAULT_COMPRESSION: -1, Z_DEFAULT_STRATEGY: 0,
    Z_DEFAULT_WINDOWBITS: 15, Z_DEFAULT_CHUNK: 16_384, Z_DEFAULT_LEVEL: -1, Z_DATA_ERROR: -3, Z_BUF_ERROR: -5,
    BROTLI_OPERATION_PROCESS: 0, BROTLI_OPERATION_FLUSH: 1, BROTLI_OPERATION_FINISH: 2, BROTLI_PARAM_MODE: 0,
    BROTLI_PARAM_QUALITY: 1, BROTLI_PARAM_LGWIN: 2, BROTLI_PARAM_SIZE_HINT: 5, BROTLI_MODE_GENERIC: 0, BROTLI_MODE_TEXT: 1,
    BROTLI_MIN_QUALITY: 0, BROTLI_MAX_QUALITY: 11, BROTLI_DEFAULT_QUALITY: 11,
  };
  return zlib;
})()
