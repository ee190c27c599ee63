// Making a function's own snapshot: notes what its start-up and its warm-up call touch that isolates may
// not share, and gives programs the world that they will find after a restore. Loaded in builders.
(function () {
const { primordials } = __bootstrap;
const {
  ArrayPrototypePush,
  JSONParse,
  JSONStringify,
  ObjectDefineProperty,
  ReflectApply,
  ReflectConstruct,
  ReflectDefineProperty,
  ReflectDeleteProperty,
  ReflectGetOwnPropertyDescriptor,
  ReflectOwnKeys,
  Uint8Array,
} = primordials;
const { inner } = __bootstrap;
const { lazy, touch } = inner;
const SPECIFIER = "ext:isle/build.js", LATE = "ext:isle/late.js", INTL = "ext:isle/intl.js";
const load = __bootstrap.core.loadExtScript;

// [path, object, key] of every global, and of every member of a global and of its prototype.
function* names() {
  const globals = ReflectOwnKeys(globalThis);
  for (let i = 0; i < globals.length; i++) {
    const name = globals[i];
    if (typeof name !== "string" || name === "__isle" || name === "Deno" || name === "__bootstrap") continue;
    yield [name, globalThis, name];
    // Platform classes are the same everywhere, and looking at a lazy one would make it.
    if (name in lazy) continue;
    const value = ReflectGetOwnPropertyDescriptor(globalThis, name)?.value;
    if (value === undefined || value === null || value === globalThis) continue;
    if (typeof value !== "function" && typeof value !== "object") continue;
    for (const [suffix, object] of [["", value], [".prototype", value.prototype]]) {
      if (object === undefined || object === null) continue;
      if (typeof object !== "object" && typeof object !== "function") continue;
      const keys = ReflectOwnKeys(object);
      for (let k = 0; k < keys.length; k++) {
        if (typeof keys[k] === "string") yield [`${name}${suffix}.${keys[k]}`, object, keys[k]];
      }
    }
  }
}

const undo = [];
// Has somebody told of each look at a property, until the build ends. What was there before comes back
// then, unless the program has put something in its place.
function trap(object, key, get, set) {
  const before = ReflectGetOwnPropertyDescriptor(object, key);
  const enumerable = before?.enumerable ?? false;
  ObjectDefineProperty(object, key, { __proto__: null, get, set, configurable: true, enumerable });
  ArrayPrototypePush(undo, () => {
    if (ReflectGetOwnPropertyDescriptor(object, key)?.get !== get) return true;
    return before === undefined ? ReflectDeleteProperty(object, key) : ReflectDefineProperty(object, key, before);
  });
}
// Notes the use of something that is there. What was taken out stays usable after the build.
function watch(object, key, name, replace) {
  const descriptor = ReflectGetOwnPropertyDescriptor(object, key);
  if (descriptor === undefined || !descriptor.configurable) return;
  const put = (value) => {
    ObjectDefineProperty(object, key, { __proto__: null, value, writable: true, configurable: true });
  };
  const get = function () {
    const better = replace?.(descriptor.value);
    if (better !== undefined) {
      put(better);
      return better;
    }
    touch(name);
    return descriptor.get === undefined ? descriptor.value : ReflectApply(descriptor.get, this, []);
  };
  trap(object, key, get, put);
}

/** What `bootstrap.js` adds to `all` hooks. */
function hooks(all) {
  const own = {
    __proto__: null,
    // The names that a program can look for, with the lengths of functions and the types of all else.
    inventory() {
      const found = { __proto__: null };
      for (const [path, object, key] of names()) {
        const value = path in lazy ? undefined : ReflectGetOwnPropertyDescriptor(object, key)?.value;
        found[path] = typeof value === "function" ? value.length : typeof value;
      }
      return JSONStringify(found);
    },
    // `complete` is the inventory of an isolate that is not being built: V8 leaves some names out
    // of a builder's.
    beginBuild(complete) {
      const here = { __proto__: null };
      for (const [path] of names()) here[path] = true;
      const there = JSONParse(complete);
      const paths = ReflectOwnKeys(there);
      const late = load(LATE);
      for (let i = 0; i < paths.length; i++) if (!(paths[i] in here)) late.put(paths[i], there[paths[i]], trap);
      watch(Math, "random", "Math.random");
      const { Intl } = globalThis;
      const { wrap } = load(INTL);
      for (const name of Intl === undefined ? [] : ReflectOwnKeys(Intl)) {
        if (typeof ReflectGetOwnPropertyDescriptor(Intl, name)?.value?.prototype !== "object") continue;
        watch(Intl, name, `Intl.${name}`, (Native) => wrap(name, Native));
      }
      for (const name of ["setTimeout", "setInterval", "FinalizationRegistry"]) watch(globalThis, name, name);
      inner.setBuilding(true);
    },
    // A call whose result is thrown away.
    warmUp(eventText) {
      const result = inner.call(JSONParse(eventText));
      if (result !== null && typeof result === "object" && typeof result.then === "function") {
        result.then(() => undefined, () => touch("an error that the handler throws"));
      }
      return "called";
    },
    // What was touched since the last call, as JSON.
    touched: () => inner.takeTouched(),
    // Leaves nothing behind but what the function has got hold of; whether that was possible.
    endBuild() {
      inner.setBuilding(false);
      if (all.kind() !== "handler") load("ext:isle/exchange.js").open.clear();
      inner.refix = load(LATE).afterRestore();
      load(INTL).end();
      let undone = true;
      for (let i = 0; i < undo.length; i++) undone = undo[i]() && undone;
      undo.length = 0;
      const keys = ReflectOwnKeys(own);
      for (let i = 0; i < keys.length; i++) delete all[keys[i]];
      inner.forget(SPECIFIER);
      inner.forget(LATE);
      inner.forget(INTL);
      return undone;
    },
    // For comparing answers: the clock stands still and chance has no say.
    makeDeterministic() {
      let state = 1;
      Math.random = () => (state = state * 16807 % 2147483647) / 2147483647;
      const { Performance } = load("ext:deno_web/15_performance.js");
      const at = 1_700_000_000_000;
      const RealDate = Date;
      const FixedDate = function Date(...args) {
        if (new.target === undefined) return new RealDate(at).toString();
        return args.length === 0
          ? ReflectConstruct(RealDate, [at], new.target)
          : ReflectConstruct(RealDate, args, new.target);
      };
      FixedDate.prototype = RealDate.prototype;
      FixedDate.now = () => at;
      FixedDate.parse = RealDate.parse;
      FixedDate.UTC = RealDate.UTC;
      globalThis.Date = FixedDate;
      Performance.prototype.now = () => 1;
      ObjectDefineProperty(Performance.prototype, "timeOrigin", { __proto__: null, get: () => at });
      const fill = (array) => {
        const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
        for (let i = 0; i < bytes.length; i++) bytes[i] = i;
        return array;
      };
      const facade = inner.crypto();
      ObjectDefineProperty(facade, "getRandomValues", { __proto__: null, value: fill });
      const uuid = () => "00000000-0000-4000-8000-000000000000";
      ObjectDefineProperty(facade, "randomUUID", { __proto__: null, value: uuid });
    },
  };
  return own;
}

return { hooks };
})()
