// Objects of `Intl` in a snapshot. V8's live outside the JavaScript heap and cannot be serialised, so where
// a snapshot is made a constructor gives an object that only remembers what it was made with; V8's own is
// made when it is first used, and again in each isolate after a restore.
//
// Only simple arguments are remembered: locales as strings, options as a plain object of plain values. With
// others the constructor gives V8's object, and if the program keeps it there is no snapshot.
(function () {
const { primordials } = __bootstrap;
const {
  ArrayIsArray,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ObjectDefineProperty,
  ObjectGetPrototypeOf,
  ObjectPrototype,
  ObjectSetPrototypeOf,
  ReflectApply,
  ReflectConstruct,
  ReflectGetOwnPropertyDescriptor,
  ReflectOwnKeys,
} = primordials;
const { isBuilding, touch } = __bootstrap.inner;
// Without `new`, these make one all the same. (`Locale` is not among them all: V8 takes one for an argument, and would
// not know what stands for it.)
const KEPT = {
  __proto__: null, Collator: true, DateTimeFormat: true, DisplayNames: false, DurationFormat: false, ListFormat: false,
  NumberFormat: true, PluralRules: false, RelativeTimeFormat: false, Segmenter: false,
};

class Itself {
  constructor(object) {
    return object;
  }
}
/** Marks an object as one that stands for V8's. */
class Kept extends Itself {
  #recipe;
  #real;
  #bound;
  constructor(object, recipe) {
    super(object);
    this.#recipe = recipe;
  }
  static is(object) {
    return typeof object === "object" && object !== null && #recipe in object;
  }
  /** V8's object for one that stands for it; anything else as it is. */
  static real(object) {
    if (!Kept.is(object)) return object;
    if (object.#real === undefined) {
      const { Native, locales, options } = object.#recipe;
      object.#real = ReflectConstruct(Native, [locales, options]);
      if (isBuilding()) ArrayPrototypePush(used, object);
    }
    return object.#real;
  }
  /** A function of the object's that was taken from it while the snapshot was made; the same for ever. */
  static bound(object, make) {
    if (object.#bound === undefined && isBuilding()) object.#bound = make();
    return object.#bound;
  }
  static forget(object) {
    object.#real = undefined;
  }
}
let used = [];

const isPlain = (value) => value === null || (typeof value !== "object" && typeof value !== "function");

// A copy, or `false`.
function simpleLocales(locales) {
  if (locales === undefined || typeof locales === "string") return { value: locales };
  if (!ArrayIsArray(locales)) return false;
  for (let i = 0; i < locales.length; i++) if (typeof locales[i] !== "string") return false;
  return { value: ArrayPrototypeSlice(locales) };
}
function simpleOptions(options) {
  if (options === undefined) return { value: undefined };
  if (isPlain(options) || typeof options !== "object") return false;
  const prototype = ObjectGetPrototypeOf(options);
  if (prototype !== null && prototype !== ObjectPrototype) return false;
  const value = { __proto__: null };
  const keys = ReflectOwnKeys(options);
  for (let i = 0; i < keys.length; i++) {
    const descriptor = ReflectGetOwnPropertyDescriptor(options, keys[i]);
    if (descriptor === undefined || !("value" in descriptor) || !isPlain(descriptor.value)) return false;
    value[keys[i]] = descriptor.value;
  }
  return { value };
}

function like(made, original) {
  ObjectDefineProperty(made, "name", { __proto__: null, value: original.name, configurable: true });
  return ObjectDefineProperty(made, "length", { __proto__: null, value: original.length, configurable: true });
}

function wrapMember(prototype, key) {
  const descriptor = ReflectGetOwnPropertyDescriptor(prototype, key);
  const { get, value } = descriptor;
  if (typeof value === "function") {
    const method = { [key](...args) {
      return ReflectApply(value, Kept.real(this), args);
    } }[key];
    ObjectDefineProperty(prototype, key, { __proto__: null, ...descriptor, value: like(method, value) });
  } else if (get !== undefined) {
    const getter = ReflectGetOwnPropertyDescriptor({ get [key]() {
      const kept = this;
      if (Kept.is(kept)) {
        const call = (args) => ReflectApply(ReflectApply(get, Kept.real(kept), []), undefined, args);
        const bound = Kept.bound(kept, () => key === "compare" ? (a, b) => call([a, b]) : (value) => call([value]));
        if (bound !== undefined) return bound;
      }
      return ReflectApply(get, Kept.real(kept), []);
    } }, key).get;
    ObjectDefineProperty(prototype, key, { __proto__: null, ...descriptor, get: like(getter, get) });
  }
}

/** What to have in the place of a constructor of `Intl`, or `undefined` for as it is. */
function wrap(name, Native) {
  if (!(name in KEPT)) return undefined;
  const { prototype } = Native;
  const Constructor = function (...args) {
    if (new.target === undefined && !KEPT[name]) return ReflectApply(Native, this, args);
    const real = ReflectConstruct(Native, args, new.target === undefined || new.target === Constructor ? Native : new.target);
    if (!isBuilding()) return real;
    const locales = simpleLocales(args[0]), options = simpleOptions(args[1]);
    if (locales === false || options === false) {
      touch(`Intl.${name}`);
      return real;
    }
    const standing = ObjectSetPrototypeOf({}, ObjectGetPrototypeOf(real));
    return new Kept(standing, { __proto__: null, Native, locales: locales.value, options: options.value });
  };
  const members = ReflectOwnKeys(Native);
  for (let i = 0; i < members.length; i++) {
    const descriptor = ReflectGetOwnPropertyDescriptor(Native, members[i]);
    ObjectDefineProperty(Constructor, members[i], { __proto__: null, ...descriptor });
  }
  const keys = ReflectOwnKeys(prototype);
  for (let i = 0; i < keys.length; i++) if (keys[i] !== "constructor") wrapMember(prototype, keys[i]);
  ObjectDefineProperty(prototype, "constructor", {
    __proto__: null, value: Constructor, writable: true, configurable: true,
  });
  return Constructor;
}

/** Lets go of what V8 made here. */
function end() {
  for (let i = 0; i < used.length; i++) Kept.forget(used[i]);
  used = [];
}

return { wrap, end };
})()
