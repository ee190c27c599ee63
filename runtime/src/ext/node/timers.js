// node:timers: the web's timers with Node's objects around their numbers.
(() => {
  class Timeout {
    #id;
    #clear;
    constructor(id, clear) {
      this.#id = id;
      this.#clear = clear;
    }
    ref() {
      return this;
    }
    unref() {
      return this;
    }
    hasRef() {
      return true;
    }
    close() {
      this.#clear(this.#id);
      return this;
    }
    [Symbol.toPrimitive]() {
      return this.#id;
    }
    [Symbol.dispose]() {
      this.close();
    }
  }
  const { setTimeout, setInterval, clearTimeout, clearInterval } = globalThis;
  const timers = {
    setTimeout: (callback, ms, ...args) => new Timeout(setTimeout(callback, ms, ...args), clearTimeout),
    setInterval: (callback, ms, ...args) => new Timeout(setInterval(callback, ms, ...args), clearInterval),
    setImmediate: (callback, ...args) => new Timeout(setTimeout(callback, 0, ...args), clearTimeout),
    clearTimeout: (timer) => timer !== undefined && timer !== null ? clearTimeout(+timer) : undefined,
    clearInterval: (timer) => timer !== undefined && timer !== null ? clearInterval(+timer) : undefined,
    clearImmediate: (timer) => timer !== undefined && timer !== null ? clearTimeout(+timer) : undefined,
  };
  const promised = (original, value) => Object.defineProperty(original, Symbol.for("nodejs.util.promisify.custom"), { value });
  promised(timers.setTimeout, (...args) => __bootstrap.node("timers/promises").setTimeout(...args));
  promised(timers.setImmediate, (...args) => __bootstrap.node("timers/promises").setImmediate(...args));
  Object.defineProperty(timers, "promises", { enumerable: true, get: () => __bootstrap.node("timers/promises") });
  return timers;
})()
