// Setters on Object.prototype see what host code assigns to its own objects carelessly.
const names = ["op", "ops", "core", "resolve", "promise", "handler", "code", "rid", "port", "internals", "statusCode", "signal", "target"];
export const handler = async () => {
  const seen = [];
  for (const name of names) {
    Object.defineProperty(Object.prototype, name, {
      configurable: true,
      get: () => undefined,
      set(value) {
        if (value && /object|function/.test(typeof value)) {
          seen.push(...Reflect.ownKeys(value).map(String).filter((key) => /^op_|^(core|ops|internals|primordials)$/.test(key)));
        }
        Object.defineProperty(this, name, { value, writable: true, configurable: true, enumerable: true });
      },
    });
  }
  try {
    new AbortController().abort();
    await new Response("x").text();
    structuredClone([1]);
  } finally {
    for (const name of names) delete Object.prototype[name];
  }
  return { seen };
};
