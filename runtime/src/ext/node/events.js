// node:events
(() => {
  const kCapture = Symbol.for("nodejs.rejection");
  const errorMonitor = Symbol("events.errorMonitor");
  const withCode = (error, code) => Object.assign(error, { code });
  const check = (listener) => {
    if (typeof listener !== "function") {
      const message = `The "listener" argument must be of type function. Received ${listener === null ? "null" : typeof listener}`;
      throw withCode(new TypeError(message), "ERR_INVALID_ARG_TYPE");
    }
  };

  // A function, not a class: older packages call it on objects of their own.
  function EventEmitter(options) {
    EventEmitter.init.call(this, options);
  }
  EventEmitter.init = function () {
    if (this._events === undefined || this._events === Object.getPrototypeOf(this)._events) {
      this._events = { __proto__: null };
      this._eventsCount = 0;
    }
    this._maxListeners ??= undefined;
  };
  EventEmitter.prototype._events = undefined;
  EventEmitter.prototype._eventsCount = 0;
  EventEmitter.prototype._maxListeners = undefined;

  const add = (emitter, type, listener, front) => {
    check(listener);
    let events = emitter._events;
    if (events === undefined) {
      events = emitter._events = { __proto__: null };
      emitter._eventsCount = 0;
    } else if (events.newListener !== undefined) {
      emitter.emit("newListener", type, listener.listener ?? listener);
      events = emitter._events;
    }
    const existing = events[type];
    if (existing === undefined) {
      events[type] = listener;
      emitter._eventsCount++;
    } else if (typeof existing === "function") {
      events[type] = front ? [listener, existing] : [existing, listener];
    } else if (front) {
      existing.unshift(listener);
    } else {
      existing.push(listener);
    }
    return emitter;
  };
  const onceWrap = (emitter, type, listener) => {
    check(listener);
    const wrapped = function (...args) {
      emitter.removeListener(type, wrapped);
      return listener.apply(emitter, args);
    };
    wrapped.listener = listener;
    return wrapped;
  };
  const list = (emitter, type) => {
    const existing = emitter._events?.[type];
    if (existing === undefined) return [];
    return typeof existing === "function" ? [existing] : existing.slice();
  };

  Object.assign(EventEmitter.prototype, {
    setMaxListeners(n) {
      this._maxListeners = n;
      return this;
    },
    getMaxListeners() {
      return this._maxListeners ?? EventEmitter.defaultMaxListeners;
    },
    emit(type, ...args) {
      const events = this._events;
      if (type === "error") {
        if (events?.[errorMonitor] !== undefined) this.emit(errorMonitor, ...args);
        if (events?.error === undefined) {
          if (args[0] instanceof Error) throw args[0];
          const error = new Error(`Unhandled error. (${String(args[0])})`);
          error.context = args[0];
          throw withCode(error, "ERR_UNHANDLED_ERROR");
        }
      }
      const handler = events?.[type];
      if (handler === undefined) return false;
      if (typeof handler === "function") {
        handler.apply(this, args);
      } else {
        for (const listener of handler.slice()) listener.apply(this, args);
      }
      return true;
    },
    addListener(type, listener) {
      return add(this, type, listener, false);
    },
    on(type, listener) {
      return add(this, type, listener, false);
    },
    prependListener(type, listener) {
      return add(this, type, listener, true);
    },
    once(type, listener) {
      return this.on(type, onceWrap(this, type, listener));
    },
    prependOnceListener(type, listener) {
      return this.prependListener(type, onceWrap(this, type, listener));
    },
    removeListener(type, listener) {
      check(listener);
      const events = this._events;
      const existing = events?.[type];
      if (existing === undefined) return this;
      const is = (other) => other === listener || other.listener === listener;
      if (typeof existing === "function") {
        if (!is(existing)) return this;
        delete events[type];
        this._eventsCount--;
      } else {
        const at = existing.findLastIndex(is);
        if (at < 0) return this;
        if (existing.length === 2) events[type] = existing[1 - at];
        else events[type] = existing.toSpliced(at, 1);
      }
      if (events.removeListener !== undefined) this.emit("removeListener", type, listener);
      return this;
    },
    removeAllListeners(type) {
      const events = this._events;
      if (events === undefined) return this;
      for (const name of type === undefined ? Reflect.ownKeys(events) : [type]) {
        if (events.removeListener !== undefined && name !== "removeListener") {
          for (const listener of list(this, name).reverse()) this.removeListener(name, listener);
        } else if (events[name] !== undefined) {
          delete events[name];
          this._eventsCount--;
        }
      }
      return this;
    },
    listeners(type) {
      return list(this, type).map((listener) => listener.listener ?? listener);
    },
    rawListeners(type) {
      return list(this, type);
    },
    listenerCount(type, listener) {
      const all = list(this, type);
      return listener === undefined ? all.length : all.filter((l) => l === listener || l.listener === listener).length;
    },
    eventNames() {
      return this._events === undefined ? [] : Reflect.ownKeys(this._events);
    },
  });
  EventEmitter.prototype.off = EventEmitter.prototype.removeListener;
  for (const name of Object.keys(EventEmitter.prototype)) {
    Object.defineProperty(EventEmitter.prototype, name, { enumerable: name[0] !== "_" });
  }

  const abortError = (signal) =>
    withCode(Object.assign(new Error("The operation was aborted", { cause: signal.reason }), { name: "AbortError" }), "ABORT_ERR");
  const isTarget = (emitter) => typeof emitter.addEventListener === "function" && typeof emitter.on !== "function";
  const listen = (emitter, type, listener) => {
    if (isTarget(emitter)) {
      emitter.addEventListener(type, listener);
      return () => emitter.removeEventListener(type, listener);
    }
    emitter.on(type, listener);
    return () => emitter.removeListener(type, listener);
  };

  const once = (emitter, type, { signal } = {}) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortError(signal));
      const undo = [];
      const end = (settle) => (...args) => {
        for (const stop of undo) stop();
        settle(...args);
      };
      undo.push(listen(emitter, type, end((...args) => resolve(args))));
      if (type !== "error" && !isTarget(emitter)) undo.push(listen(emitter, "error", end(reject)));
      if (signal !== undefined) undo.push(listen(signal, "abort", end(() => reject(abortError(signal)))));
    });

  const on = (emitter, type, { signal } = {}) => {
    const ready = [], waiting = [], undo = [];
    let failure, done = false;
    const finish = () => {
      done = true;
      for (const stop of undo) stop();
      for (const { resolve } of waiting.splice(0)) resolve({ value: undefined, done: true });
    };
    const fail = (error) => {
      const first = waiting.shift();
      if (first === undefined) failure = { error };
      else first.reject(error);
      finish();
    };
    if (signal?.aborted) throw abortError(signal);
    undo.push(listen(emitter, type, (...args) => {
      const first = waiting.shift();
      if (first === undefined) ready.push(args);
      else first.resolve({ value: args, done: false });
    }));
    if (type !== "error" && !isTarget(emitter)) undo.push(listen(emitter, "error", fail));
    if (signal !== undefined) undo.push(listen(signal, "abort", () => fail(abortError(signal))));
    return {
      next() {
        if (ready.length > 0) return Promise.resolve({ value: ready.shift(), done: false });
        if (failure !== undefined) {
          const { error } = failure;
          failure = undefined;
          return Promise.reject(error);
        }
        if (done) return Promise.resolve({ value: undefined, done: true });
        return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
      },
      return() {
        finish();
        return Promise.resolve({ value: undefined, done: true });
      },
      throw(error) {
        fail(error);
        return Promise.resolve({ value: undefined, done: true });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  };

  class EventEmitterAsyncResource extends EventEmitter {}
  return Object.assign(EventEmitter, {
    EventEmitter,
    EventEmitterAsyncResource,
    once,
    on,
    errorMonitor,
    captureRejectionSymbol: kCapture,
    captureRejections: false,
    defaultMaxListeners: 10,
    usingDomains: false,
    listenerCount: (emitter, type) => emitter.listenerCount(type),
    getEventListeners: (emitter, type) => emitter.listeners?.(type) ?? [],
    getMaxListeners: (emitter) => emitter.getMaxListeners?.() ?? EventEmitter.defaultMaxListeners,
    setMaxListeners: (n, ...emitters) => {
      if (emitters.length === 0) EventEmitter.defaultMaxListeners = n;
      for (const emitter of emitters) emitter.setMaxListeners?.(n);
    },
    addAbortListener: (signal, listener) => {
      signal.addEventListener("abort", listener, { once: true });
      return { [Symbol.dispose]: () => signal.removeEventListener("abort", listener) };
    },
  });
})()
