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
  ReflectDeleteProperty,
  ReflectGet,
  ReflectGetOwnPropertyDescriptor,
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
const undo = [];
let stackLimit;

/** What to do after each restore, if anything. */
function refix() {
  for (let i = 0; i < seen.length; i++) {
    const parts = StringPrototypeSplit(seen[i].path, ".");
    let native = globalThis;
    for (let k = 0; k < parts.length; k++) native = native?.[parts[k]];
    seen[i].native = native;
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

function putAccessor(object, key, get, set) {
  ObjectDefineProperty(object, key, { __proto__: null, get, set, configurable: true, enumerable: false });
  ArrayPrototypePush(undo, () => ReflectGetOwnPropertyDescriptor(object, key)?.get !== get || ReflectDeleteProperty(object, key));
}

/** Has `path` seem to be there. `kind` is a function's length, or the type of anything else. */
function put(path, kind) {
  const parts = StringPrototypeSplit(path, ".");
  const key = parts[parts.length - 1];
  // Members come after what they are in.
  if (parts.length === 1) globals[key] = true;
  else if (parts[0] in globals) return;
  let object = globalThis;
  for (let i = 0; i < parts.length - 1; i++) object = object?.[parts[i]];
  if (object === undefined || object === null || key in object) return;
  if (path === STACK_LIMIT) {
    // V8 looks for a plain value only, and so keeps no stacks here, which could be in no snapshot.
    putAccessor(object, key, () => stackLimit ?? 10, (limit) => stackLimit = limit);
    return;
  }
  const stands = (typeof kind === "number" || kind === "object") && !(path in NO_STAND_IN);
  let entry, value;
  putAccessor(object, key, () => {
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

/** Takes everything out again; whether it could. */
function end() {
  let all = true;
  for (let i = 0; i < undo.length; i++) all = undo[i]() && all;
  undo.length = 0;
  return all;
}

/** What is to be done after each restore, if anything. */
const afterRestore = () => seen.length > 0 || stackLimit !== undefined ? refix : undefined;

return { put, end, afterRestore };
})()
