const seen = [];
addEventListener("error", (event) => {
  event.preventDefault();
  seen.push(`error: ${event.error.message}`);
});
onerror = (message) => {
  seen.push(`onerror: ${message.replace(/^Uncaught /, "")}`);
};

export const handler = async () => {
  seen.length = 0;
  reportError(new Error("reported"));
  queueMicrotask(() => {
    throw new Error("in a microtask");
  });
  setTimeout(() => {
    throw new Error("in a timer");
  }, 0);
  await new Promise((resolve) => setTimeout(resolve, 5));
  let refused;
  try {
    new QuotaExceededError("x", { quota: 2, requested: 1 });
  } catch (error) {
    refused = error.name;
  }
  let quota;
  try {
    crypto.getRandomValues(new Uint8Array(65_537));
  } catch (error) {
    quota = [error instanceof QuotaExceededError, error.name, error.code, error.quota, error.requested];
  }
  const replaced = globalThis.performance;
  globalThis.performance = 5;
  const kept = performance;
  globalThis.performance = replaced;
  globalThis.location = new URL("https://example.org/a/b");
  const relative = new Request("../c").url;
  delete globalThis.location;
  return {
    seen,
    self: self === globalThis,
    scope: [self instanceof ServiceWorkerGlobalScope, self instanceof WorkerGlobalScope, self instanceof EventTarget],
    tag: Object.prototype.toString.call(globalThis),
    refused,
    quota,
    kept,
    relative,
    isolated: crossOriginIsolated,
    timed: new Event("x").timeStamp <= performance.now(),
  };
};
