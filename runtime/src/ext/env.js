// A function's variables where its snapshot is made. Which variables there are is fixed with the
// function, so a name that none of them has may be looked for: it is not there in any isolate. What
// would bake a value in is noted, and there is no snapshot.
//
// A program may keep the object. After a restore it shows the isolate's own variables.
(function () {
const { primordials } = __bootstrap;
const {
  Proxy,
  ReflectDefineProperty,
  ReflectDeleteProperty,
  ReflectGet,
  ReflectGetOwnPropertyDescriptor,
  ReflectHas,
  ReflectOwnKeys,
  ReflectSet,
} = primordials;
const { isBuilding, touch } = __bootstrap.inner;

/**
 * `names` has a member for each variable; `shown` has those that are the same in every isolate; `prefix` is
 * what the author calls the object.
 */
function view(names, shown, prefix, current) {
  const note = (key) => touch(typeof key === "string" ? `${prefix}.${key}` : prefix);
  const read = (key) => {
    if (!isBuilding()) return current();
    if (typeof key === "string" && key in names) note(key);
    return shown;
  };
  // Whether there is something to write to.
  const written = (key) => {
    if (!isBuilding()) return current();
    note(key);
    return undefined;
  };
  return new Proxy({}, {
    __proto__: null,
    get: (_target, key) => ReflectGet(read(key), key),
    has: (_target, key) => ReflectHas(read(key), key),
    getOwnPropertyDescriptor: (_target, key) => ReflectGetOwnPropertyDescriptor(read(key), key),
    ownKeys() {
      if (!isBuilding()) return ReflectOwnKeys(current());
      touch(prefix);
      return [];
    },
    set(_target, key, value) {
      const to = written(key);
      return to === undefined || ReflectSet(to, key, value);
    },
    defineProperty(_target, key, descriptor) {
      const to = written(key);
      return to === undefined || ReflectDefineProperty(to, key, descriptor);
    },
    deleteProperty(_target, key) {
      const to = written(key);
      return to === undefined || ReflectDeleteProperty(to, key);
    },
    // It can only be promised for the object behind it.
    preventExtensions: () => false,
  });
}

return { view };
})()
