// node:stream: readable, writable, duplex and transforming streams with back-pressure, and the
// ways between them and the web's streams.
//
// The classes are functions, because packages of all ages call them on objects of their own.
(() => {
  const EventEmitter = __bootstrap.node("events");
  const { Buffer } = __bootstrap.node("buffer");
  const { StringDecoder } = __bootstrap.node("string_decoder");
  const coded = (error, code) => Object.assign(error, { code });
  const later = (callback, ...args) => queueMicrotask(() => callback(...args));
  const inherit = (child, parent) => {
    Object.setPrototypeOf(child.prototype, parent.prototype);
    Object.setPrototypeOf(child, parent);
  };
  const define = (target, members) => {
    for (const key of Reflect.ownKeys(members)) {
      Object.defineProperty(target, key, { ...Object.getOwnPropertyDescriptor(members, key), enumerable: false });
    }
  };
  const premature = () => coded(new Error("Premature close"), "ERR_STREAM_PREMATURE_CLOSE");
  const abortError = (signal) => coded(Object.assign(new Error("The operation was aborted", { cause: signal?.reason }), { name: "AbortError" }), "ABORT_ERR");
  const HIGH = 65_536, HIGH_OBJECTS = 16;

  function Stream(options) {
    EventEmitter.call(this, options);
  }
  inherit(Stream, EventEmitter);
  define(Stream.prototype, {
    // The old way, which knows no errors.
    pipe(to) {
      this.on("data", (chunk) => to.write(chunk) === false && this.pause?.());
      to.on("drain", () => this.resume?.());
      this.on("end", () => to.end());
      return to;
    },
  });

  // --- what both directions share: the end --------------------------------------------------------

  const destroyer = {
    destroy(error, done) {
      const state = this._end;
      if (state.destroyed) {
        done?.(error);
        return this;
      }
      state.destroyed = true;
      if (error) state.errored ??= error;
      const closed = (failure) => {
        const final = failure ?? error ?? null;
        if (final) state.errored ??= final;
        done?.(final);
        later(() => {
          if (final && !state.errorEmitted) {
            state.errorEmitted = true;
            this.emit("error", final);
          }
          state.closed = true;
          if (state.emitClose) this.emit("close");
        });
      };
      try {
        this._destroy(error ?? null, closed);
      } catch (failure) {
        closed(failure);
      }
      return this;
    },
    _destroy(error, done) {
      done(error);
    },
    get destroyed() {
      return this._end?.destroyed ?? false;
    },
    set destroyed(value) {
      if (this._end) this._end.destroyed = value;
    },
    get closed() {
      return this._end?.closed ?? false;
    },
    get errored() {
      return this._end?.errored ?? null;
    },
    [Symbol.asyncDispose ?? Symbol.for("asyncDispose")]() {
      if (!this.destroyed) this.destroy();
      return new Promise((resolve) => finished(this, () => resolve()));
    },
  };
  const begin = (stream, options) => {
    stream._end ??= { destroyed: false, closed: false, errored: null, errorEmitted: false, emitClose: options?.emitClose !== false, autoDestroy: options?.autoDestroy !== false };
    for (const name of ["destroy", "construct"]) if (typeof options?.[name] === "function") stream[`_${name}`] = options[name];
    if (options?.signal) addAbortSignal(options.signal, stream);
    if (typeof stream._construct === "function" && stream._end.constructed === undefined) {
      stream._end.constructed = false;
      later(() => stream._construct((error) => {
        stream._end.constructed = true;
        if (error) return stream.destroy(error);
        stream.emit("constructed");
      }));
    }
  };
  const constructed = (stream, callback) => stream._end.constructed === false ? stream.once("constructed", callback) : callback();
  // Both halves are over.
  const maybeClose = (stream) => {
    const { _readableState: r, _writableState: w } = stream;
    if (stream._end.autoDestroy && (r === undefined || r.endEmitted || !stream.readable && r.ended) && (w === undefined || w.finished || stream._end.writableOff)) stream.destroy();
  };

  // --- readable ------------------------------------------------------------------------------------

  function Readable(options) {
    if (!(this instanceof Readable)) return new Readable(options);
    startReadable(this, options);
  }
  const startReadable = (stream, options = {}) => {
    options ??= {};
    Stream.call(stream, options);
    const objectMode = Boolean(options.objectMode || options.readableObjectMode);
    stream._readableState = {
      objectMode, highWaterMark: options.readableHighWaterMark ?? options.highWaterMark ?? (objectMode ? HIGH_OBJECTS : HIGH),
      buffer: [], length: 0, flowing: null, ended: false, endEmitted: false, reading: false, encoding: null, decoder: null,
      pipes: [], readableListening: false, emittedReadable: false, needReadable: false, dataEmitted: false, scheduled: false,
    };
    if (typeof options.read === "function") stream._read = options.read;
    const encoding = options.encoding ?? options.defaultEncoding;
    if (options.encoding) stream.setEncoding(encoding);
    begin(stream, options);
  };
  inherit(Readable, Stream);
  const sizeOf = (state, chunk) => state.objectMode ? 1 : chunk.length;
  const fill = (stream) => {
    const state = stream._readableState;
    if (state.reading || state.ended || stream.destroyed || state.length >= state.highWaterMark && state.length > 0) return;
    constructed(stream, () => {
      if (state.reading || state.ended || stream.destroyed) return;
      state.reading = true;
      try {
        stream._read(state.highWaterMark);
      } catch (error) {
        stream.destroy(error);
      }
    });
  };
  const schedule = (stream) => {
    const state = stream._readableState;
    if (state.scheduled) return;
    state.scheduled = true;
    later(() => {
      state.scheduled = false;
      flow(stream);
    });
  };
  const take = (state, size) => {
    if (state.buffer.length === 0) return null;
    if (state.objectMode) {
      state.length--;
      return state.buffer.shift();
    }
    if (size === undefined || size >= state.length) {
      const all = state.decoder !== null || typeof state.buffer[0] === "string" ? state.buffer.join("") : state.buffer.length === 1 ? state.buffer[0] : Buffer.concat(state.buffer);
      state.buffer = [];
      state.length = 0;
      return all;
    }
    const all = typeof state.buffer[0] === "string" ? state.buffer.join("") : Buffer.concat(state.buffer);
    state.buffer = [all.slice(size)];
    state.length -= size;
    return all.slice(0, size);
  };
  const flow = (stream) => {
    const state = stream._readableState;
    while (state.flowing && !stream.destroyed && state.buffer.length > 0) {
      const chunk = state.objectMode ? take(state) : (state.length -= state.buffer[0].length, state.buffer.shift());
      state.dataEmitted = true;
      stream.emit("data", chunk);
    }
    if (stream.destroyed) return;
    if (state.readableListening && (state.length > 0 || state.ended) && !state.endEmitted && !state.emittedReadable) {
      state.emittedReadable = true;
      stream.emit("readable");
    }
    if (state.ended && state.length === 0) endReadable(stream);
    else if (state.flowing || state.readableListening || state.needReadable) fill(stream);
  };
  const endReadable = (stream) => {
    const state = stream._readableState;
    if (state.endEmitted || state.ending || state.flowing === null && !state.readableListening && !state.consumed) return;
    state.ending = true;
    later(() => {
      if (stream.destroyed && stream.errored) return;
      state.endEmitted = true;
      stream.emit("end");
      if (stream._writableState !== undefined && stream.allowHalfOpen === false) stream.end();
      maybeClose(stream);
    });
  };
  const push = (stream, chunk, encoding, front) => {
    const state = stream._readableState;
    state.reading = false;
    if (chunk === null) {
      if (!state.ended) {
        const rest = state.decoder?.end();
        if (rest) {
          state.buffer.push(rest);
          state.length += sizeOf(state, rest);
        }
        state.ended = true;
        state.emittedReadable = false;
      }
      schedule(stream);
      return false;
    }
    if (!state.objectMode) {
      if (typeof chunk === "string") {
        if (state.encoding === null || state.decoder !== null) chunk = Buffer.from(chunk, encoding);
      } else if (ArrayBuffer.isView(chunk)) {
        if (!Buffer.isBuffer(chunk)) chunk = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      } else if (chunk !== undefined) {
        stream.destroy(coded(new TypeError(`The "chunk" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received ${typeof chunk}`), "ERR_INVALID_ARG_TYPE"));
        return false;
      }
      if (chunk === undefined || chunk.length === 0) {
        schedule(stream);
        return state.length < state.highWaterMark;
      }
    }
    if (state.ended && !front) {
      stream.destroy(coded(new Error("stream.push() after EOF"), "ERR_STREAM_PUSH_AFTER_EOF"));
      return false;
    }
    if (stream.destroyed) return false;
    if (state.decoder !== null && !front) chunk = state.decoder.write(chunk);
    if (state.objectMode || chunk.length > 0) {
      state.buffer[front ? "unshift" : "push"](chunk);
      state.length += sizeOf(state, chunk);
      state.emittedReadable = false;
    }
    schedule(stream);
    return state.length < state.highWaterMark;
  };
  define(Readable.prototype, {
    _read() {
      throw coded(new Error("The _read() method is not implemented"), "ERR_METHOD_NOT_IMPLEMENTED");
    },
    push(chunk, encoding) {
      return push(this, chunk, encoding, false);
    },
    unshift(chunk, encoding) {
      return push(this, chunk, encoding, true);
    },
    read(size) {
      const state = this._readableState;
      if (size === 0) {
        state.needReadable = true;
        fill(this);
        return null;
      }
      state.consumed = true;
      if (size !== undefined && size > state.length && !state.ended && !state.objectMode) {
        state.needReadable = true;
        state.emittedReadable = false;
        fill(this);
        return null;
      }
      const chunk = take(state, size);
      if (state.length === 0) state.emittedReadable = false;
      if (chunk !== null) {
        state.dataEmitted = true;
        this.emit("data", chunk);
      }
      if (state.length < state.highWaterMark) fill(this);
      if (state.ended && state.length === 0) endReadable(this);
      return chunk;
    },
    setEncoding(encoding) {
      const state = this._readableState;
      state.decoder = new StringDecoder(encoding);
      state.encoding = state.decoder.encoding;
      const text = state.buffer.map((chunk) => state.decoder.write(chunk)).join("");
      state.buffer = text === "" ? [] : [text];
      state.length = text.length;
      return this;
    },
    on(type, listener) {
      Stream.prototype.on.call(this, type, listener);
      const state = this._readableState;
      if (type === "data") {
        state.readableListening = this.listenerCount("readable") > 0;
        if (state.flowing !== false && !state.readableListening) this.resume();
      } else if (type === "readable" && !state.readableListening) {
        state.readableListening = true;
        state.flowing = false;
        state.emittedReadable = false;
        schedule(this);
      }
      return this;
    },
    removeListener(type, listener) {
      Stream.prototype.removeListener.call(this, type, listener);
      if (type === "readable") this._readableState.readableListening = this.listenerCount("readable") > 0;
      return this;
    },
    resume() {
      const state = this._readableState;
      if (!state.flowing) {
        state.flowing = !state.readableListening;
        this.emit("resume");
        schedule(this);
      }
      return this;
    },
    pause() {
      if (this._readableState.flowing !== false) {
        this._readableState.flowing = false;
        this.emit("pause");
      }
      return this;
    },
    isPaused() {
      return this._readableState.flowing === false;
    },
    pipe(to, options) {
      const state = this._readableState;
      const data = (chunk) => {
        if (to.write(chunk) === false) this.pause();
      };
      const drain = () => this.resume();
      const end = () => to.end();
      const unpipe = (from) => {
        if (from !== this) return;
        this.removeListener("data", data);
        to.removeListener("drain", drain);
        this.removeListener("end", end);
        to.removeListener("unpipe", unpipe);
        state.pipes = state.pipes.filter((pipe) => pipe !== to);
      };
      state.pipes.push(to);
      this.on("data", data);
      to.on("drain", drain);
      to.on("unpipe", unpipe);
      to.once("close", () => this.unpipe(to));
      if (options?.end !== false) {
        if (state.endEmitted) later(end);
        else this.once("end", end);
      }
      to.emit("pipe", this);
      if (!state.flowing) this.resume();
      return to;
    },
    unpipe(to) {
      for (const pipe of to === undefined ? this._readableState.pipes.slice() : [to]) pipe.emit("unpipe", this);
      if (this._readableState.pipes.length === 0 && to === undefined) this.pause();
      return this;
    },
    wrap(old) {
      old.on("data", (chunk) => this.push(chunk) || old.pause?.());
      old.on("end", () => this.push(null));
      old.on("error", (error) => this.destroy(error));
      this._read = () => old.resume?.();
      return this;
    },
    [Symbol.asyncIterator]() {
      return iterate(this, true);
    },
    iterator(options) {
      return iterate(this, options?.destroyOnReturn !== false);
    },
    async toArray() {
      const all = [];
      for await (const chunk of this) all.push(chunk);
      return all;
    },
    async forEach(callback) {
      for await (const chunk of this) await callback(chunk);
    },
    async reduce(callback, initial) {
      let value = initial, empty = arguments.length < 2;
      for await (const chunk of this) {
        value = empty ? chunk : await callback(value, chunk);
        empty = false;
      }
      return value;
    },
    map(callback) {
      const from = this;
      return Readable.from((async function* () {
        for await (const chunk of from) yield callback(chunk);
      })());
    },
    filter(callback) {
      const from = this;
      return Readable.from((async function* () {
        for await (const chunk of from) if (await callback(chunk)) yield chunk;
      })());
    },
    flatMap(callback) {
      const from = this;
      return Readable.from((async function* () {
        for await (const chunk of from) yield* await callback(chunk);
      })());
    },
    get readable() {
      const state = this._readableState;
      return state !== undefined && !this._end.readableOff && !this.destroyed && !state.endEmitted && this.errored === null;
    },
    set readable(value) {
      if (this._end) this._end.readableOff = !value;
    },
    get readableEnded() {
      return this._readableState?.endEmitted ?? false;
    },
    get readableFlowing() {
      return this._readableState.flowing;
    },
    set readableFlowing(value) {
      this._readableState.flowing = value;
    },
    get readableLength() {
      return this._readableState.length;
    },
    get readableHighWaterMark() {
      return this._readableState.highWaterMark;
    },
    get readableObjectMode() {
      return this._readableState?.objectMode ?? false;
    },
    get readableEncoding() {
      return this._readableState.encoding;
    },
    get readableAborted() {
      return this.destroyed && !this._readableState.endEmitted;
    },
    get readableDidRead() {
      return this._readableState.dataEmitted;
    },
  });
  Readable.prototype.addListener = Readable.prototype.on;
  Readable.prototype.off = Readable.prototype.removeListener;
  define(Readable.prototype, destroyer);

  async function* iterate(stream, destroyOnReturn) {
    let wake = () => {}, over = false, failure;
    const stop = finished(stream, { writable: false }, (error) => {
      over = true;
      failure = error;
      wake();
    });
    const readable = () => wake();
    stream.on("readable", readable);
    try {
      for (;;) {
        const chunk = stream.destroyed ? null : takeOne(stream);
        if (chunk !== null) yield chunk;
        else if (failure) throw failure;
        else if (over) return;
        else await new Promise((resolve) => wake = resolve);
      }
    } finally {
      stop();
      stream.removeListener("readable", readable);
      if (destroyOnReturn && !stream.destroyed && stream._end.autoDestroy) stream.destroy();
    }
  }
  // A chunk as it was pushed, not all that is there.
  const takeOne = (stream) => {
    const state = stream._readableState;
    return stream.read(state.objectMode || state.buffer.length === 0 ? undefined : state.buffer[0].length);
  };

  // --- writable ------------------------------------------------------------------------------------

  function Writable(options) {
    if (!(this instanceof Writable) && !(this instanceof Duplex)) return new Writable(options);
    Stream.call(this, options);
    startWritable(this, options);
  }
  const startWritable = (stream, options = {}) => {
    options ??= {};
    const objectMode = Boolean(options.objectMode || options.writableObjectMode);
    stream._writableState = {
      objectMode, highWaterMark: options.writableHighWaterMark ?? options.highWaterMark ?? (objectMode ? HIGH_OBJECTS : HIGH),
      queue: [], ends: [], length: 0, pending: 0, writing: false, failed: false, corked: 0, ending: false, ended: false, finished: false, needDrain: false,
      decodeStrings: options.decodeStrings !== false, defaultEncoding: options.defaultEncoding ?? "utf8", prefinished: false,
    };
    for (const name of ["write", "writev", "final"]) if (typeof options[name] === "function") stream[`_${name}`] = options[name];
    begin(stream, options);
  };
  inherit(Writable, Stream);
  // Writes what is queued. A write that is done when `_write` returns makes way for the next at once;
  // who waits for it is told later.
  const proceed = (stream) => {
    const state = stream._writableState;
    while (!state.writing && !state.failed && state.corked === 0 && !stream.destroyed) {
      if (stream._end.constructed === false) return void stream.once("constructed", () => proceed(stream));
      if (state.queue.length === 0) return finishMaybe(stream);
      state.writing = true;
      const many = stream._writev !== undefined && stream._writev !== null && state.queue.length > 1;
      const batch = many ? state.queue.splice(0) : [state.queue.shift()];
      let sync = true, called = false;
      const done = (error) => {
        if (called) return stream.destroy(coded(new Error("Callback called multiple times"), "ERR_MULTIPLE_CALLBACK"));
        called = true;
        state.writing = false;
        state.failed ||= Boolean(error);
        for (const { size } of batch) state.length -= size;
        const after = () => {
          if (!error && state.needDrain && state.length === 0 && !state.ending && !stream.destroyed) {
            state.needDrain = false;
            stream.emit("drain");
          }
          state.pending -= batch.length;
          for (const { callback } of batch) callback(error || null);
          if (error) return stream.destroy(error);
          finishMaybe(stream);
        };
        if (sync) return later(after);
        proceed(stream);
        after();
      };
      try {
        if (many) stream._writev(batch.map(({ chunk, encoding }) => ({ chunk, encoding })), done);
        else stream._write(batch[0].chunk, batch[0].encoding, done);
      } catch (error) {
        done(error);
      }
      sync = false;
    }
  };
  const finishMaybe = (stream) => {
    const state = stream._writableState;
    const over = state.ending && !state.prefinished && !state.writing && !state.failed && state.pending === 0;
    if (!over || state.queue.length > 0 || stream.destroyed) return;
    state.prefinished = true;
    const done = (error) => {
      if (error) return stream.destroy(error);
      stream.emit("prefinish");
      later(() => {
        if (stream.destroyed) return;
        state.finished = true;
        for (const end of state.ends.splice(0)) end();
        stream.emit("finish");
        maybeClose(stream);
      });
    };
    if (typeof stream._final !== "function") return done();
    try {
      stream._final(done);
    } catch (error) {
      done(error);
    }
  };
  define(Writable.prototype, {
    _write(chunk, encoding, done) {
      if (this._writev) this._writev([{ chunk, encoding }], done);
      else throw coded(new Error("The _write() method is not implemented"), "ERR_METHOD_NOT_IMPLEMENTED");
    },
    write(chunk, encoding, callback) {
      const state = this._writableState;
      if (typeof encoding === "function") [callback, encoding] = [encoding, undefined];
      callback ??= () => {};
      encoding ??= state.defaultEncoding;
      if (chunk === null) throw coded(new TypeError("May not write null values to stream"), "ERR_STREAM_NULL_VALUES");
      if (!state.objectMode) {
        if (typeof chunk === "string") {
          if (state.decodeStrings) [chunk, encoding] = [Buffer.from(chunk, encoding), "buffer"];
        } else if (ArrayBuffer.isView(chunk)) {
          chunk = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
          encoding = "buffer";
        } else {
          throw coded(new TypeError(`The "chunk" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received ${typeof chunk}`), "ERR_INVALID_ARG_TYPE");
        }
      }
      const wrong = state.ending ? coded(new Error("write after end"), "ERR_STREAM_WRITE_AFTER_END") : this.destroyed ? coded(new Error("Cannot call write after a stream was destroyed"), "ERR_STREAM_DESTROYED") : null;
      if (wrong !== null) {
        later(callback, wrong);
        if (!this.destroyed) this.destroy(wrong);
        return false;
      }
      const size = state.objectMode ? 1 : chunk.length;
      state.length += size;
      const room = state.length < state.highWaterMark;
      if (!room) state.needDrain = true;
      state.queue.push({ chunk, encoding, callback, size });
      state.pending++;
      proceed(this);
      return room;
    },
    end(chunk, encoding, callback) {
      const state = this._writableState;
      if (typeof chunk === "function") [callback, chunk, encoding] = [chunk, undefined, undefined];
      else if (typeof encoding === "function") [callback, encoding] = [encoding, undefined];
      if (chunk !== undefined && chunk !== null) this.write(chunk, encoding);
      state.corked = 0;
      if (callback !== undefined) {
        if (state.finished) later(callback);
        else {
          // Before who listens to `finish`; after an error, with it.
          state.ends.push(() => callback());
          finished(this, { readable: false }, (error) => error && callback(error));
        }
      }
      if (!state.ending) {
        state.ending = true;
        state.ended = true;
        proceed(this);
      }
      return this;
    },
    cork() {
      this._writableState.corked++;
    },
    uncork() {
      const state = this._writableState;
      if (state.corked > 0 && --state.corked === 0) proceed(this);
    },
    setDefaultEncoding(encoding) {
      this._writableState.defaultEncoding = encoding;
      return this;
    },
    get writable() {
      const state = this._writableState;
      return state !== undefined && !this._end.writableOff && !this.destroyed && !state.ending && this.errored === null;
    },
    set writable(value) {
      if (this._end) this._end.writableOff = !value;
    },
    get writableEnded() {
      return this._writableState?.ending ?? false;
    },
    get writableFinished() {
      return this._writableState?.finished ?? false;
    },
    get writableLength() {
      return this._writableState.length;
    },
    get writableHighWaterMark() {
      return this._writableState.highWaterMark;
    },
    get writableObjectMode() {
      return this._writableState?.objectMode ?? false;
    },
    get writableCorked() {
      return this._writableState.corked;
    },
    get writableNeedDrain() {
      return this._writableState.needDrain;
    },
    get writableAborted() {
      return this.destroyed && !this._writableState.finished;
    },
  });
  define(Writable.prototype, destroyer);

  // --- both ----------------------------------------------------------------------------------------

  function Duplex(options) {
    if (!(this instanceof Duplex)) return new Duplex(options);
    startReadable(this, options);
    startWritable(this, options);
    this.allowHalfOpen = options?.allowHalfOpen !== false;
    if (options?.readable === false) this.push(null);
    if (options?.writable === false) this._end.writableOff = true;
  }
  inherit(Duplex, Readable);
  for (const key of Reflect.ownKeys(Writable.prototype)) {
    if (key !== "constructor" && !(key in destroyer)) Object.defineProperty(Duplex.prototype, key, Object.getOwnPropertyDescriptor(Writable.prototype, key));
  }
  Object.defineProperty(Writable, Symbol.hasInstance, {
    value(object) {
      if (Function.prototype[Symbol.hasInstance].call(this, object)) return true;
      return this === Writable && object?._writableState !== undefined && object instanceof Duplex;
    },
  });

  function Transform(options) {
    if (!(this instanceof Transform)) return new Transform(options);
    Duplex.call(this, options);
    for (const name of ["transform", "flush"]) if (typeof options?.[name] === "function") this[`_${name}`] = options[name];
    this._waiting = null;
  }
  inherit(Transform, Duplex);
  define(Transform.prototype, {
    _transform() {
      throw coded(new Error("The _transform() method is not implemented"), "ERR_METHOD_NOT_IMPLEMENTED");
    },
    _write(chunk, encoding, done) {
      this._transform(chunk, encoding, (error, out) => {
        if (error) return done(error);
        if (out !== undefined && out !== null) this.push(out);
        const state = this._readableState;
        // Nobody reads yet: the next chunk waits for one who does.
        if (state.ended || state.length < state.highWaterMark) done();
        else this._waiting = done;
      });
    },
    _read() {
      const done = this._waiting;
      this._waiting = null;
      done?.();
    },
    _final(done) {
      if (typeof this._flush !== "function") {
        this.push(null);
        return done();
      }
      this._flush((error, out) => {
        if (error) return done(error);
        if (out !== undefined && out !== null) this.push(out);
        this.push(null);
        done();
      });
    },
  });

  function PassThrough(options) {
    if (!(this instanceof PassThrough)) return new PassThrough(options);
    Transform.call(this, options);
  }
  inherit(PassThrough, Transform);
  define(PassThrough.prototype, {
    _transform(chunk, encoding, done) {
      done(null, chunk);
    },
  });

  // --- over several streams ------------------------------------------------------------------------

  const isNode = (value) => typeof value?.on === "function" && (typeof value.write === "function" || typeof value.pipe === "function");
  function finished(stream, options, callback) {
    if (typeof options === "function") [callback, options] = [options, {}];
    if (stream instanceof ReadableStream || stream instanceof WritableStream) throw new TypeError("finished() takes a stream of node:stream");
    const { _readableState: r, _writableState: w } = stream;
    const wantsRead = (options?.readable ?? true) && (r !== undefined || w === undefined && stream.readable);
    const wantsWrite = (options?.writable ?? true) && w !== undefined && !stream._end.writableOff;
    let readDone = !wantsRead || r?.endEmitted === true, writeDone = !wantsWrite || w?.finished === true, called = false;
    const undo = [];
    const call = (error) => {
      if (called) return;
      called = true;
      if (options?.cleanup) for (const stop of undo) stop();
      callback.call(stream, error);
    };
    const listen = (type, listener) => {
      stream.on(type, listener);
      undo.push(() => stream.removeListener(type, listener));
    };
    const settle = () => {
      if (readDone && writeDone) call();
    };
    listen("end", () => {
      readDone = true;
      settle();
    });
    listen("finish", () => {
      writeDone = true;
      settle();
    });
    listen("error", (error) => {
      if (options?.error !== false) call(error);
    });
    listen("close", () => {
      if (stream.errored) return call(stream.errored);
      if (readDone && writeDone || wantsWrite && !wantsRead && w.finished) return call();
      call(premature());
    });
    if (options?.signal) {
      const abort = () => call(abortError(options.signal));
      if (options.signal.aborted) later(abort);
      else options.signal.addEventListener("abort", abort, { once: true });
    }
    if (stream.closed || stream.destroyed && stream.errored) later(() => stream.errored ? call(stream.errored) : readDone && writeDone ? call() : call(premature()));
    else if (readDone && writeDone) later(call);
    return () => {
      called = true;
      for (const stop of undo) stop();
    };
  }

  const toNode = (value, index, count) => {
    if (isNode(value)) return value;
    if (value instanceof ReadableStream) return Readable.fromWeb(value);
    if (value instanceof WritableStream) return Writable.fromWeb(value);
    if (value?.readable instanceof ReadableStream && value.writable instanceof WritableStream) return Duplex.fromWeb(value);
    if (index < count - 1 && (typeof value === "string" || value?.[Symbol.iterator] || value?.[Symbol.asyncIterator])) return Readable.from(value);
    throw coded(new TypeError(`The "streams[${index}]" argument must be a stream, an iterable or a function`), "ERR_INVALID_ARG_TYPE");
  };
  const run = (streams, options, callback) => {
    let result, current;
    const all = [];
    const value = { final: undefined };
    streams.forEach((item, index) => {
      const last = index === streams.length - 1;
      if (typeof item === "function") {
        const made = item(index === 0 ? { signal: options.signal } : iterableOf(current), { signal: options.signal });
        if (last && typeof made?.then === "function") {
          result = made;
          return;
        }
        current = isNode(made) ? made : Readable.from(made);
        current._fromFunction = true;
      } else {
        const stream = toNode(item, index, streams.length);
        if (current !== undefined) current.pipe(stream, { end: options.end !== false || !last });
        current = stream;
      }
      all.push(current);
    });
    let left = all.length + (result === undefined ? 0 : 1), failed = false;
    const fail = (error) => {
      if (failed) return;
      failed = true;
      for (const stream of all) if (!stream.destroyed) stream.destroy(error === undefined ? undefined : error);
      callback(error);
    };
    const one = (error) => {
      if (error) return fail(error);
      if (--left === 0 && !failed) callback(undefined, value.final);
    };
    all.forEach((stream, index) => {
      stream.on("error", () => {});
      const last = index === all.length - 1 && result === undefined;
      const waitsEnd = !last || stream._writableState === undefined;
      if (last && options.end === false) return void --left;
      finished(stream, { readable: waitsEnd && stream._readableState !== undefined, writable: index > 0 && !stream._fromFunction }, one);
      if (last && stream._readableState !== undefined && stream._writableState === undefined) stream.resume();
    });
    result?.then((final) => {
      value.final = final;
      one();
    }, fail);
    if (options.signal) {
      const abort = () => fail(abortError(options.signal));
      if (options.signal.aborted) later(abort);
      else options.signal.addEventListener("abort", abort, { once: true });
    }
    return current;
  };
  const iterableOf = (stream) => stream instanceof Readable || stream?._readableState ? stream : toNode(stream, 0, 2);
  const pipeline = (...streams) => {
    const callback = typeof streams.at(-1) === "function" ? streams.pop() : () => {};
    return run(streams.length === 1 && Array.isArray(streams[0]) ? streams[0] : streams, {}, callback);
  };
  const promised = {
    pipeline: (...streams) =>
      new Promise((resolve, reject) => {
        const last = streams.at(-1);
        const isOptions = last !== null && typeof last === "object" && !isNode(last) && !(last instanceof ReadableStream) && !(last instanceof WritableStream) && !last[Symbol.iterator] && !last[Symbol.asyncIterator] && !("readable" in last);
        const options = isOptions ? streams.pop() : {};
        run(streams.length === 1 && Array.isArray(streams[0]) ? streams[0] : streams, options, (error, value) => error ? reject(error) : resolve(value));
      }),
    finished: (stream, options = {}) => new Promise((resolve, reject) => finished(stream, options, (error) => error ? reject(error) : resolve())),
  };
  function addAbortSignal(signal, stream) {
    const abort = () => stream.destroy(abortError(signal));
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    return stream;
  }

  // --- from and to other kinds ---------------------------------------------------------------------

  Readable.from = (source, options) => {
    if (typeof source === "string" || ArrayBuffer.isView(source)) {
      return new Readable({ objectMode: true, ...options, read() {
        this.push(source);
        this.push(null);
      } });
    }
    const iterator = source[Symbol.asyncIterator]?.() ?? source[Symbol.iterator]?.();
    if (iterator === undefined) throw coded(new TypeError("The \"iterable\" argument must be an instance of Iterable"), "ERR_INVALID_ARG_TYPE");
    let done = false;
    return new Readable({
      objectMode: true,
      highWaterMark: 1,
      ...options,
      async read() {
        try {
          for (;;) {
            const next = await iterator.next();
            if (next.done) {
              done = true;
              return void this.push(null);
            }
            const chunk = await next.value;
            if (chunk === null) throw coded(new TypeError("May not write null values to stream"), "ERR_STREAM_NULL_VALUES");
            if (!this.push(chunk)) return;
          }
        } catch (error) {
          done = true;
          this.destroy(error);
        }
      },
      destroy(error, callback) {
        if (done || typeof iterator.return !== "function") return callback(error);
        done = true;
        Promise.resolve(iterator.return()).then(() => callback(error), (failure) => callback(error ?? failure));
      },
    });
  };
  Readable.fromWeb = (web, options = {}) => {
    const reader = web.getReader();
    return new Readable({
      ...options,
      read() {
        reader.read().then(({ value, done }) => {
          if (this.destroyed) return;
          this.push(done ? null : typeof value === "string" && !options.objectMode ? Buffer.from(value) : value);
        }, (error) => this.destroy(error));
      },
      destroy(error, callback) {
        if (this._readableState.endEmitted) return callback(error);
        reader.cancel(error).then(() => callback(error), () => callback(error));
      },
    });
  };
  Readable.toWeb = (stream) => {
    let iterator;
    return new ReadableStream({
      start() {
        iterator = stream[Symbol.asyncIterator]();
      },
      async pull(controller) {
        const { value, done } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(Buffer.isBuffer(value) ? new Uint8Array(value) : value);
      },
      cancel(reason) {
        stream.destroy(reason instanceof Error ? reason : undefined);
      },
    }, { highWaterMark: 0 });
  };
  Writable.fromWeb = (web, options = {}) => {
    const writer = web.getWriter();
    return new Writable({
      ...options,
      write: (chunk, _encoding, done) => void writer.ready.then(() => writer.write(chunk)).then(() => done(), done),
      final: (done) => void writer.close().then(() => done(), done),
      destroy: (error, done) => error ? void writer.abort(error).then(() => done(error), () => done(error)) : done(error),
    });
  };
  Writable.toWeb = (stream) =>
    new WritableStream({
      start(controller) {
        stream.on("error", (error) => controller.error(error));
      },
      write: (chunk) => new Promise((resolve, reject) => {
        if (stream.write(chunk, (error) => error && reject(error))) resolve();
        else stream.once("drain", resolve);
      }),
      close: () => new Promise((resolve, reject) => stream.end((error) => error ? reject(error) : resolve())),
      abort: (reason) => void stream.destroy(reason),
    });
  Duplex.fromWeb = ({ readable, writable }, options = {}) => {
    const from = Readable.fromWeb(readable, options), to = Writable.fromWeb(writable, options);
    const duplex = new Duplex({
      ...options,
      read: () => from.resume(),
      write: (chunk, encoding, done) => void to.write(chunk, encoding, done),
      final: (done) => void to.end(done),
    });
    from.on("data", (chunk) => duplex.push(chunk) || from.pause());
    from.on("end", () => duplex.push(null));
    for (const half of [from, to]) half.on("error", (error) => duplex.destroy(error));
    return duplex;
  };
  Duplex.toWeb = (duplex) => ({ readable: Readable.toWeb(duplex), writable: Writable.toWeb(duplex) });
  Duplex.from = (value) => {
    if (value instanceof Duplex) return value;
    if (value?.readable && value?.writable && isNode(value.readable)) {
      const { readable, writable } = value;
      return new Duplex({ objectMode: true, read: () => {}, write: (chunk, encoding, done) => void writable.write(chunk, encoding, done) }).wrap(readable);
    }
    return Readable.from(value);
  };

  const promises = promised;
  Object.defineProperty(pipeline, Symbol.for("nodejs.util.promisify.custom"), { value: promised.pipeline });
  Object.defineProperty(finished, Symbol.for("nodejs.util.promisify.custom"), { value: promised.finished });
  return Object.assign(Stream, {
    Stream,
    Readable,
    Writable,
    Duplex,
    Transform,
    PassThrough,
    pipeline,
    finished,
    addAbortSignal,
    promises,
    destroy: (stream, error) => stream.destroy(error),
    isReadable: (stream) => stream?.readable ?? null,
    isErrored: (stream) => Boolean(stream?.errored),
    isDisturbed: (stream) => Boolean(stream?._readableState?.dataEmitted || stream?.locked),
    getDefaultHighWaterMark: (objectMode) => objectMode ? HIGH_OBJECTS : HIGH,
    compose: (...streams) => streams.reduce((from, to) => from.pipe(to)),
  });
})()
