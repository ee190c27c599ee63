// node:timers/promises
(() => {
  const { setTimeout: start, clearTimeout: stop } = globalThis;
  const aborted = (signal) => Object.assign(new Error("The operation was aborted", { cause: signal.reason }), { name: "AbortError", code: "ABORT_ERR" });
  const wait = (ms, value, { signal } = {}) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted(signal));
      const abort = () => {
        stop(timer);
        reject(aborted(signal));
      };
      const timer = start(() => {
        signal?.removeEventListener("abort", abort);
        resolve(value);
      }, ms);
      signal?.addEventListener("abort", abort, { once: true });
    });
  return {
    setTimeout: wait,
    setImmediate: (value, options) => wait(0, value, options),
    async *setInterval(ms, value, options) {
      for (;;) yield await wait(ms, value, options);
    },
    scheduler: { wait: (ms, options) => wait(ms, undefined, options), yield: () => wait(0) },
  };
})()
