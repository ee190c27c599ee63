// node:async_hooks: what follows an invocation through awaits, timers and callbacks.
//
// V8 carries one value along with every continuation. It is the invocation's mark for console
// lines, or, once something is stored, a list of that mark and a map from storages to values.
(() => {
  const { core, primordials } = __bootstrap;
  const { getAsyncContext, setAsyncContext } = core;
  // The language as it was: a program that got hold of the list could write under another's mark.
  const { ArrayIsArray, ReflectApply, SafeMap } = primordials;
  const storesOf = (context) => ArrayIsArray(context) ? context[1] : undefined;
  const markOf = (context) => ArrayIsArray(context) ? context[0] : context;
  const copyOf = (stores) => {
    const copy = new SafeMap();
    stores?.forEach((store, storage) => copy.set(storage, store));
    return copy;
  };
  const within = (context, callback, self, args) => {
    const before = getAsyncContext();
    setAsyncContext(context);
    try {
      return ReflectApply(callback, self, args);
    } finally {
      setAsyncContext(before);
    }
  };

  class AsyncLocalStorage {
    #fallback;
    #name;
    constructor({ defaultValue, name = "" } = {}) {
      this.#fallback = defaultValue;
      this.#name = name;
    }
    get name() {
      return this.#name;
    }
    static bind(callback) {
      const snapshot = AsyncLocalStorage.snapshot();
      return function (...args) {
        return snapshot.call(this, callback.bind(this), ...args);
      };
    }
    static snapshot() {
      const context = getAsyncContext();
      return (callback, ...args) => within(context, callback, undefined, args);
    }
    #with(store) {
      const context = getAsyncContext();
      const stores = copyOf(storesOf(context));
      stores.set(this, store);
      return [markOf(context), stores];
    }
    run(store, callback, ...args) {
      return within(this.#with(store), callback, undefined, args);
    }
    exit(callback, ...args) {
      return this.run(undefined, callback, ...args);
    }
    enterWith(store) {
      setAsyncContext(this.#with(store));
    }
    disable() {
      const context = getAsyncContext();
      const stores = copyOf(storesOf(context));
      stores.delete(this);
      setAsyncContext([markOf(context), stores]);
    }
    getStore() {
      const stores = storesOf(getAsyncContext());
      return stores !== undefined && stores.has(this) ? stores.get(this) : this.#fallback;
    }
  }

  let ids = 0;
  class AsyncResource {
    #context = getAsyncContext();
    #id = ++ids;
    constructor(type) {
      this.type = type;
    }
    runInAsyncScope(callback, self, ...args) {
      return within(this.#context, callback, self, args);
    }
    bind(callback, self) {
      const resource = this;
      return function (...args) {
        return resource.runInAsyncScope(callback, self ?? this, ...args);
      };
    }
    static bind(callback, type, self) {
      return new AsyncResource(type ?? callback.name ?? "bound-anonymous-fn").bind(callback, self);
    }
    emitDestroy() {
      return this;
    }
    asyncId() {
      return this.#id;
    }
    triggerAsyncId() {
      return 0;
    }
  }
  const off = { enable: () => off, disable: () => off };
  return {
    AsyncLocalStorage,
    AsyncResource,
    // There are no hooks to be told by; numbers do not follow continuations.
    createHook: () => off,
    executionAsyncId: () => 0,
    triggerAsyncId: () => 0,
    executionAsyncResource: () => ({}),
    asyncWrapProviders: { __proto__: null },
  };
})()
