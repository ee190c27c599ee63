// The part of the language that V8 leaves out of isolates whose heap is to be serialised, and puts into
// every other one. Programs look whether it is there, so it seems to be: what they find may be kept, and
// after a restore it is V8's own. Whoever uses it before that gets no snapshot.
(function () {
const { primordials } = __bootstrap;
const {
  ArrayPrototypePush,
  Error,
  ObjectDefineProperty,
  Proxy,
  ReflectApply,
  ReflectConstruct,
  ReflectGet,
  ReflectHas,
  ReflectSet,
  StringPrototypeLastIndexOf,
  StringPrototypeSlice,
  StringPrototypeSplit,
  TypeError,
} = primordials;
const { touch } = __bootstrap.inner;
// Taken for themselves, and not for what they do: as keys, and compared with `constructor`.
const NO_STAND_IN = { __proto__: null, Float16Array: true };
const STACK_LIMIT = "Error.stackTraceLimit";

// Those that somebody looked at: path, and what V8 has there.
const seen = [];
const globals = { __proto__: null };
let stackLimit;

/** What the first `count` of these names lead to. */
function reach(parts, count) {
  let object = globalThis;
  for (let i = 0; i < count; i++) object = object?.[parts[i]];
  return object;
}

function refix() {
  for (let i = 0; i < seen.length; i++) {
    const parts = StringPrototypeSplit(seen[i].path, ".");
    seen[i].native = reach(parts, parts.length);
  }
  if (stackLimit !== undefined) Error.stackTraceLimit = stackLimit;
}

// Callable ones look like V8's own to whoever prints them.
function standIn(entry, length) {
  const native = () => {
    if (entry.native === undefined) {
      touch(entry.path);
      throw new TypeError(`${entry.path} cannot be used while a snapshot is made`);
    }
    return entry.native;
  };
  const name = StringPrototypeSlice(entry.path, StringPrototypeLastIndexOf(entry.path, ".") + 1);
  const target = length === undefined ? {} : name === entry.path ? function () {} : () => {};
  if (length !== undefined) {
    ObjectDefineProperty(target, "name", { __proto__: null, value: name, configurable: true });
    ObjectDefineProperty(target, "length", { __proto__: null, value: length, configurable: true });
  }
  const proxy = new Proxy(target, {
    __proto__: null,
    apply: (_target, self, args) => ReflectApply(native(), self, args),
    construct: (_target, args, as) => ReflectConstruct(native(), args, as === proxy ? native() : as),
    get(_target, key) {
      if (entry.native === undefined && (key === "name" || key === "length")) return target[key];
      return ReflectGet(native(), key);
    },
    has: (_target, key) => ReflectHas(native(), key),
    set: (_target, key, value) => ReflectSet(native(), key, value),
  });
  return proxy;
}

/**
 * Has `path` seem to be there, by `trap`, until the build ends. `kind` is a function's length, or the type
 * of anything else.
 */
function put(path, kind, trap) {
  const parts = StringPrototypeSplit(path, ".");
  const key = parts[parts.length - 1];
  // Members come after what they are in.
  if (parts.length === 1) globals[key] = true;
  else if (parts[0] in globals) return;
  const object = reach(parts, parts.length - 1);
  if (object === undefined || object === null || key in object) return;
  if (path === STACK_LIMIT) {
    // V8 looks for a plain value only, and so keeps no stacks here, which could be in no snapshot.
    trap(object, key, () => stackLimit ?? 10, (limit) => stackLimit = limit);
    return;
  }
  const stands = (typeof kind === "number" || kind === "object") && !(path in NO_STAND_IN);
  let entry, value;
  trap(object, key, () => {
    if (!stands) {
      touch(path);
      return undefined;
    }
    if (entry === undefined) {
      entry = { __proto__: null, path, native: undefined };
      value = standIn(entry, typeof kind === "number" ? kind : undefined);
      ArrayPrototypePush(seen, entry);
    }
    return value;
  }, (replacement) => {
    touch(path);
    ObjectDefineProperty(object, key, { __proto__: null, value: replacement, writable: true, configurable: true });
  });
}

/** What is to be done after each restore, if anything. */
const afterRestore = () => seen.length > 0 || stackLimit !== undefined ? refix : undefined;

return { put, afterRestore };
})()
