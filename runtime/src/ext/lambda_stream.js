// Streamed Lambda handlers (R90 to R94): `awslambda.streamifyResponse`, the writable that such a
// handler is given, and `awslambda.HttpResponseStream.from`. Loaded at the first use of `awslambda`,
// or with a handler that is marked as streaming.
(function () {
const { core, primordials } = __bootstrap;
const { op_isle_body_begin, op_isle_body_room } = core.ops;
const {
  ArrayBufferIsView,
  ArrayIsArray,
  ArrayPrototypePush,
  ArrayPrototypeShift,
  ArrayPrototypeSlice,
  ArrayPrototypeSplice,
  DataViewPrototypeGetBuffer,
  DataViewPrototypeGetByteLength,
  DataViewPrototypeGetByteOffset,
  Error,
  JSONParse,
  JSONStringify,
  Number,
  ObjectDefineProperty,
  ObjectKeys,
  PromisePrototypeThen,
  Promise,
  ReflectApply,
  String,
  StringPrototypeToLowerCase,
  Symbol,
  SymbolFor,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeGetSymbolToStringTag,
  TypedArrayPrototypeSlice,
  TypedArrayPrototypeSubarray,
  TypeError,
  Uint8Array,
} = primordials;
const { onAbort, refused, setPump, trySend } = core.loadExtScript("ext:isle/exchange.js");

const STREAMING = SymbolFor("aws.lambda.runtime.handler.streaming");
const HIGH_WATER_MARK = SymbolFor("aws.lambda.runtime.handler.streaming.highWaterMark");
const PRELUDE_TYPE = "application/vnd.awslambda.http-integration-response";
const PRELUDE_BYTES_MAX = 256 * 1024;
const DELIMITER_BYTES = 8;
const DEFAULT_HIGH_WATER_MARK = 16 * 1024;

function failure(name, message) {
  const error = new Error(message);
  ObjectDefineProperty(error, "name", { __proto__: null, value: name, writable: true, configurable: true });
  return error;
}

/** Calls what may throw where nobody catches: the next turn of the microtask queue. */
function soon(callback, ...args) {
  PromisePrototypeThen(Promise.resolve(), () => ReflectApply(callback, undefined, args));
}

/** What of Node's events a writable is expected to have. */
class Emitter {
  #listeners = { __proto__: null };

  on(name, listener) {
    if (typeof listener !== "function") throw new TypeError("the listener is not a function");
    ArrayPrototypePush(this.#listeners[name] ??= [], listener);
    return this;
  }

  prependListener(name, listener) {
    this.on(name, listener);
    const all = this.#listeners[name];
    ArrayPrototypeSplice(all, 0, 0, all[all.length - 1]);
    all.length--;
    return this;
  }

  once(name, listener) {
    const wrapped = (...args) => {
      this.off(name, wrapped);
      return ReflectApply(listener, this, args);
    };
    wrapped.listener = listener;
    return this.on(name, wrapped);
  }

  off(name, listener) {
    const all = this.#listeners[name];
    if (all === undefined) return this;
    for (let i = all.length - 1; i >= 0; i--) {
      if (all[i] === listener || all[i].listener === listener) {
        // A copy: the list may be walked right now.
        this.#listeners[name] = ArrayPrototypeSlice(all);
        ArrayPrototypeSplice(this.#listeners[name], i, 1);
        break;
      }
    }
    return this;
  }

  emit(name, ...args) {
    const all = this.#listeners[name];
    if (all === undefined || all.length === 0) return false;
    const now = ArrayPrototypeSlice(all);
    for (let i = 0; i < now.length; i++) ReflectApply(now[i], this, args);
    return true;
  }

  listeners(name) {
    return ArrayPrototypeSlice(this.#listeners[name] ?? []);
  }

  listenerCount(name) {
    return this.#listeners[name]?.length ?? 0;
  }

  eventNames() {
    return ObjectKeys(this.#listeners);
  }

  removeAllListeners(name) {
    if (name === undefined) this.#listeners = { __proto__: null };
    else delete this.#listeners[name];
    return this;
  }

  addListener(name, listener) {
    return this.on(name, listener);
  }

  removeListener(name, listener) {
    return this.off(name, listener);
  }

  setMaxListeners() {
    return this;
  }

  getMaxListeners() {
    return 0;
  }
}

/** The chunk as bytes of its own: whoever wrote it may use its memory again. */
function toBytes(chunk, encoding) {
  if (typeof chunk === "string") {
    if (encoding === undefined || encoding === null) return core.encode(chunk);
    switch (StringPrototypeToLowerCase(String(encoding))) {
      case "utf8":
      case "utf-8":
      case "buffer":
        return core.encode(chunk);
      default:
        if (typeof globalThis.Buffer?.from === "function") return toBytes(globalThis.Buffer.from(chunk, encoding));
        throw new TypeError(`unknown encoding: ${encoding}`);
    }
  }
  const tag = TypedArrayPrototypeGetSymbolToStringTag(chunk);
  if (tag === "Uint8Array") return TypedArrayPrototypeSlice(chunk);
  if (tag !== undefined) {
    return TypedArrayPrototypeSlice(
      new Uint8Array(
        TypedArrayPrototypeGetBuffer(chunk),
        TypedArrayPrototypeGetByteOffset(chunk),
        TypedArrayPrototypeGetByteLength(chunk),
      ),
    );
  }
  if (ArrayBufferIsView(chunk)) {
    return TypedArrayPrototypeSlice(
      new Uint8Array(DataViewPrototypeGetBuffer(chunk), DataViewPrototypeGetByteOffset(chunk), DataViewPrototypeGetByteLength(chunk)),
    );
  }
  // As the original does: what is neither text nor bytes is written as JSON.
  if (chunk !== null && chunk !== undefined) return core.encode(JSONStringify(chunk) ?? "");
  throw new TypeError("a chunk is null or undefined, expected a string or bytes");
}

const kDone = Symbol("done"), kMetadata = Symbol("metadata");

class ResponseStream extends Emitter {
  #id;
  #highWaterMark;
  #contentType = undefined;
  /** From `HttpResponseStream.from`, or from a prelude that was written as bytes. */
  #metadata = undefined;
  #prelude = undefined;
  /** Chunks that were written and not sent, each with its callback. */
  #queue = [];
  #queued = 0;
  #begun = false;
  #open = false;
  #pumping = false;
  #written = false;
  #needDrain = false;
  #ended = false;
  #finished = false;
  #error = null;
  #destroyed = false;
  #closed = false;
  #endCallbacks = [];
  #settled;
  #settle;

  constructor(id, highWaterMark) {
    super();
    this.#id = id;
    this.#highWaterMark = highWaterMark;
    this.#settled = new Promise((resolve, reject) => this.#settle = { __proto__: null, resolve, reject });
    PromisePrototypeThen(this.#settled, undefined, () => {});
    setPump(id, () => {
      this.#open = true;
      this.#pump();
    });
    onAbort(id, () => this.destroy(failure("AbortError", "the client left")));
  }

  get writable() {
    return !this.#ended && !this.#destroyed;
  }
  get writableEnded() {
    return this.#ended;
  }
  get writableFinished() {
    return this.#finished;
  }
  get writableHighWaterMark() {
    return this.#highWaterMark;
  }
  get writableLength() {
    return this.#queued;
  }
  get writableNeedDrain() {
    return this.#needDrain;
  }
  get writableObjectMode() {
    return false;
  }
  get writableCorked() {
    return 0;
  }
  get writableAborted() {
    return this.#destroyed && !this.#finished;
  }
  get destroyed() {
    return this.#destroyed;
  }
  get closed() {
    return this.#closed;
  }
  get errored() {
    return this.#error;
  }

  setContentType(contentType) {
    if (this.#written) throw failure("Runtime.InvalidStreamingOperation", "Cannot set content-type, too late.");
    this.#contentType = String(contentType);
  }

  write(chunk, encoding, callback) {
    if (typeof encoding === "function") {
      callback = encoding;
      encoding = undefined;
    }
    if (this.#ended || this.#destroyed) {
      const error = failure("Error", this.#ended ? "write after end" : "the stream was destroyed");
      error.code = this.#ended ? "ERR_STREAM_WRITE_AFTER_END" : "ERR_STREAM_DESTROYED";
      if (typeof callback === "function") soon(callback, error);
      if (this.#ended && !this.#destroyed) this.destroy(error);
      return false;
    }
    this.#put(toBytes(chunk, encoding), callback);
    const more = this.#queued < this.#highWaterMark;
    this.#needDrain ||= !more;
    return more;
  }

  end(chunk, encoding, callback) {
    if (typeof chunk === "function") {
      callback = chunk;
      chunk = undefined;
    } else if (typeof encoding === "function") {
      callback = encoding;
      encoding = undefined;
    }
    if (chunk !== undefined && chunk !== null) this.write(chunk, encoding);
    if (typeof callback === "function") {
      if (this.#finished) soon(callback);
      else ArrayPrototypePush(this.#endCallbacks, callback);
    }
    if (this.#ended || this.#destroyed) return this;
    this.#ended = true;
    if (!this.#begun) this.#begin();
    this.#pump();
    return this;
  }

  destroy(error = null) {
    if (this.#destroyed) return this;
    this.#destroyed = true;
    this.#error = error ?? null;
    this.#queue = [];
    this.#queued = 0;
    if (!this.#finished) {
      this.#settle.reject(error ?? failure("Runtime.StreamDestroyed", "the response stream was destroyed"));
    }
    soon(() => {
      if (error) {
        // Its reader learns it from the handler's promise; others may listen.
        if (this.listenerCount("error") > 0) this.emit("error", error);
      }
      this.#closed = true;
      this.emit("close");
    });
    return this;
  }

  cork() {}
  uncork() {}
  setDefaultEncoding() {
    return this;
  }

  get [kDone]() {
    return this.#settled;
  }

  [kMetadata](metadata) {
    if (this.#written) throw failure("Runtime.InvalidStreamingOperation", "Cannot set content-type, too late.");
    this.#contentType = PRELUDE_TYPE;
    this.#metadata = metadata;
  }

  #put(bytes, callback) {
    this.#written = true;
    if (this.#contentType === PRELUDE_TYPE && this.#metadata === undefined) {
      bytes = this.#takePrelude(bytes);
      if (bytes === undefined) {
        if (typeof callback === "function") soon(callback);
        return;
      }
    }
    if (!this.#begun) this.#begin();
    const length = TypedArrayPrototypeGetByteLength(bytes);
    if (length > 0 || typeof callback === "function") {
      ArrayPrototypePush(this.#queue, { __proto__: null, bytes, at: 0, length, callback });
      this.#queued += length;
    }
    this.#pump();
  }

  /** The prelude by hand: JSON, eight NULs, then the body. Returns what is behind it, if all of it is there. */
  #takePrelude(bytes) {
    const before = this.#prelude;
    let all = bytes;
    if (before !== undefined) {
      const length = TypedArrayPrototypeGetByteLength(before);
      all = new Uint8Array(length + TypedArrayPrototypeGetByteLength(bytes));
      for (let i = 0; i < length; i++) all[i] = before[i];
      for (let i = length; i < all.length; i++) all[i] = bytes[i - length];
    }
    let zeros = 0;
    for (let i = 0; i < all.length; i++) {
      zeros = all[i] === 0 ? zeros + 1 : 0;
      if (zeros === DELIMITER_BYTES) {
        this.#prelude = undefined;
        this.#metadata = JSONParse(core.decode(TypedArrayPrototypeSubarray(all, 0, i + 1 - DELIMITER_BYTES)));
        return TypedArrayPrototypeSlice(all, i + 1);
      }
    }
    if (all.length > PRELUDE_BYTES_MAX) throw failure("Runtime.InvalidStreamingOperation", "the response's prelude has no end");
    this.#prelude = all;
    return undefined;
  }

  /** Says how the response begins. Throws when it cannot begin like that. */
  #begin() {
    const metadata = this.#metadata;
    let status = 200;
    let fields = "";
    let typed = false;
    if (metadata !== undefined && metadata !== null) {
      if (metadata.statusCode !== undefined) status = Number(metadata.statusCode);
      const headers = metadata.headers ?? {};
      const names = ObjectKeys(headers);
      for (let i = 0; i < names.length; i++) {
        const value = headers[names[i]];
        if (value === undefined || value === null) continue;
        const name = StringPrototypeToLowerCase(names[i]);
        typed ||= name === "content-type";
        const values = ArrayIsArray(value) ? value : [value];
        for (let k = 0; k < values.length; k++) fields += field(name, values[k]);
      }
      if (ArrayIsArray(metadata.cookies)) {
        for (let i = 0; i < metadata.cookies.length; i++) fields += field("set-cookie", metadata.cookies[i]);
      }
    }
    if (!typed) {
      const type = this.#contentType === undefined || this.#contentType === PRELUDE_TYPE
        ? metadata === undefined ? "application/octet-stream" : "application/json"
        : this.#contentType;
      fields += field("content-type", type);
    }
    if (!(status >= 200 && status <= 599) || status % 1 !== 0) {
      throw failure("Runtime.InvalidStreamingOperation", `statusCode is ${status}, expected an integer from 200 to 599`);
    }
    this.#begun = true;
    op_isle_body_begin(this.#id, status, core.encode(fields));
  }

  async #pump() {
    if (this.#pumping || !this.#open) return;
    this.#pumping = true;
    try {
      while (this.#queue.length > 0 && !this.#destroyed) {
        const first = this.#queue[0];
        const taken = first.at === first.length ? 0 : trySend(this.#id, TypedArrayPrototypeSubarray(first.bytes, first.at));
        if (taken < 0) {
          // Nobody wants more: what is written from now on goes nowhere.
          if (!refused(taken)) this.destroy(failure("AbortError", "the client left"));
          break;
        }
        first.at += taken;
        this.#queued -= taken;
        if (first.at < first.length) {
          await op_isle_body_room(this.#id);
          continue;
        }
        ArrayPrototypeShift(this.#queue);
        if (typeof first.callback === "function") soon(first.callback, null);
        if (this.#needDrain && this.#queued < this.#highWaterMark && !this.#ended) {
          this.#needDrain = false;
          soon(() => this.emit("drain"));
        }
      }
      if (this.#ended && this.#queue.length === 0 && !this.#finished && !this.#destroyed) {
        this.#finished = true;
        this.#settle.resolve();
        soon(() => {
          for (let i = 0; i < this.#endCallbacks.length; i++) this.#endCallbacks[i]();
          this.emit("finish");
          this.destroy();
        });
      }
    } catch (error) {
      this.destroy(error);
    } finally {
      this.#pumping = false;
    }
  }
}

function field(name, value) {
  const text = String(value);
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\n" || text[i] === "\r") {
      throw failure("Runtime.InvalidStreamingOperation", `the value of header \`${name}\` has a line break`);
    }
  }
  return `${name}\n${text}\n`;
}

/** Runs a streaming handler. The promise is the invocation's end. */
async function enter(id, handler, event, context) {
  const stream = new ResponseStream(id, handler[HIGH_WATER_MARK] ?? DEFAULT_HIGH_WATER_MARK);
  const returned = handler(event, stream, context);
  if (returned === null || typeof returned !== "object" || typeof returned.then !== "function") {
    throw failure("Runtime.NotAsync", "Streaming does not support non-async handlers.");
  }
  const result = await returned;
  if (result !== undefined) {
    globalThis.console?.warn("Streaming handlers ignore return values.");
  }
  if (!stream.writableEnded && stream.errored === null) throw failure("Runtime.StreamNotFinished", "Response stream is not finished.");
  await stream[kDone];
}

class HttpResponseStream {
  /** Gives `stream` a status, header fields and cookies, to be sent before its first bytes. */
  static from(stream, metadata) {
    if (stream !== null && typeof stream === "object" && typeof stream[kMetadata] === "function") {
      stream[kMetadata](metadata);
    } else {
      stream.setContentType(PRELUDE_TYPE);
      stream.write(JSONStringify(metadata));
      stream.write(new Uint8Array(DELIMITER_BYTES));
    }
    return stream;
  }
}

const awslambda = {
  streamifyResponse(handler, options) {
    if (typeof handler !== "function") throw new TypeError("streamifyResponse needs a function");
    handler[STREAMING] = "response";
    if (options?.highWaterMark !== undefined) {
      const mark = Number(options.highWaterMark);
      if (!(mark >= 0)) throw new TypeError("highWaterMark is not a number from 0 up");
      handler[HIGH_WATER_MARK] = mark;
    }
    return handler;
  },
  HttpResponseStream,
};

return { awslambda, enter };
})();
