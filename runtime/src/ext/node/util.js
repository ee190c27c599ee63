// node:util
(() => {
  const { core } = __bootstrap;
  const types = __bootstrap.node("util/types");
  const shown = core.loadExtScript("ext:deno_web/01_console.js");
  const custom = Symbol.for("nodejs.util.inspect.custom");

  const inspect = (value, options, depth, colors) => {
    if (typeof options === "boolean") options = { showHidden: options, depth, colors };
    const { depth: levels = 2, compact = 3, breakLength = 80, sorted = false, getters = false, showHidden = false } = options ?? {};
    return shown.inspect(value, {
      depth: levels ?? Infinity, compact, breakLength, sorted, getters, showHidden, colors: false,
      quotes: ["'", '"', "`"],
      strAbbreviateSize: options?.maxStringLength ?? 10_000, iterableLimit: options?.maxArrayLength ?? 100,
    });
  };
  inspect.custom = custom;
  inspect.defaultOptions = { depth: 2 };
  inspect.styles = { __proto__: null };
  inspect.colors = { __proto__: null };

  const formatWithOptions = (options, first, ...rest) => {
    let at = 0, text = "";
    if (typeof first === "string") {
      text = first.replace(/%([sdifjoOc%])/g, (found, kind) => {
        if (kind === "%") return rest.length > 0 || at > 0 ? "%" : found;
        if (at >= rest.length) return found;
        const value = rest[at++];
        switch (kind) {
          case "s":
            if (typeof value === "bigint") return `${value}n`;
            if (typeof value === "object" && value !== null && !(value instanceof Error) && value.toString === Object.prototype.toString) return inspect(value, { ...options, depth: 0 });
            return Object.is(value, -0) ? "-0" : String(value);
          case "d":
            return typeof value === "bigint" ? `${value}n` : typeof value === "symbol" ? "NaN" : `${Number(value)}`;
          case "i":
            return typeof value === "bigint" ? `${value}n` : typeof value === "symbol" ? "NaN" : `${parseInt(value)}`;
          case "f":
            return typeof value === "symbol" ? "NaN" : `${parseFloat(value)}`;
          case "j":
            try {
              return JSON.stringify(value);
            } catch {
              return "[Circular]";
            }
          case "c":
            return "";
          default:
            return inspect(value, { ...options, depth: kind === "o" ? 4 : 2 });
        }
      });
    } else {
      rest.unshift(first);
    }
    const more = rest.slice(at).map((value) => typeof value === "string" ? value : inspect(value, options));
    return typeof first === "string" ? [text, ...more].join(" ") : more.join(" ");
  };
  const format = (...args) => args.length === 0 ? "" : formatWithOptions({}, ...args);

  const kCustomPromisify = Symbol.for("nodejs.util.promisify.custom");
  const callable = (value, name) => {
    if (typeof value !== "function") {
      throw Object.assign(new TypeError(`The "${name}" argument must be of type function. Received ${value === null ? "null" : typeof value}`), { code: "ERR_INVALID_ARG_TYPE" });
    }
    return value;
  };
  const promisify = (original) => {
    if (callable(original, "original")[kCustomPromisify] !== undefined) return original[kCustomPromisify];
    const promised = function (...args) {
      return new Promise((resolve, reject) => {
        Reflect.apply(original, this, [...args, (error, value) => error ? reject(error) : resolve(value)]);
      });
    };
    Object.setPrototypeOf(promised, Object.getPrototypeOf(original));
    return Object.defineProperties(promised, Object.getOwnPropertyDescriptors(original));
  };
  promisify.custom = kCustomPromisify;
  const callbackify = (original) =>
    function (...args) {
      const done = callable(args.pop(), "last argument");
      Reflect.apply(callable(original, "original"), this, args).then(
        (value) => queueMicrotask(() => done(null, value)),
        (reason) => queueMicrotask(() => done(reason ?? Object.assign(new Error("Promise was rejected with a falsy value"), { reason, code: "ERR_FALSY_VALUE_REJECTION" }))),
      );
    };

  const same = (a, b, strict, seen = []) => {
    if (Object.is(a, b) || !strict && (a == b || a !== a && b !== b)) return true;
    if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
    if (strict && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
    if (Array.isArray(a) !== Array.isArray(b)) return false;
    if (seen.some(([x, y]) => x === a && y === b)) return true;
    const deeper = [...seen, [a, b]];
    if (a instanceof Date && b instanceof Date) {
      if (a.getTime() !== b.getTime()) return false;
    } else if (a instanceof RegExp && b instanceof RegExp) {
      if (`${a}` !== `${b}` || a.lastIndex !== b.lastIndex) return false;
    } else if (a instanceof Error || b instanceof Error) {
      if (a.name !== b.name || a.message !== b.message) return false;
    } else if (types.isBoxedPrimitive(a) || types.isBoxedPrimitive(b)) {
      if (!types.isBoxedPrimitive(a) || !types.isBoxedPrimitive(b) || !Object.is(a.valueOf(), b.valueOf())) return false;
    } else if (ArrayBuffer.isView(a) || ArrayBuffer.isView(b)) {
      if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b) || a.length !== b.length) return false;
    } else if (a instanceof Set || b instanceof Set) {
      if (!(a instanceof Set && b instanceof Set) || a.size !== b.size) return false;
      for (const item of a) if (!b.has(item) && ![...b].some((other) => same(item, other, strict, deeper))) return false;
    } else if (a instanceof Map || b instanceof Map) {
      if (!(a instanceof Map && b instanceof Map) || a.size !== b.size) return false;
      for (const [key, value] of a) {
        const other = b.has(key) ? [key, b.get(key)] : [...b].find(([k]) => same(key, k, strict, deeper));
        if (other === undefined || !same(value, other[1], strict, deeper)) return false;
      }
    }
    const own = (object) => Reflect.ownKeys(object).filter((key) => Object.prototype.propertyIsEnumerable.call(object, key) && (strict || typeof key === "string"));
    const keys = own(a);
    return keys.length === own(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key], strict, deeper));
  };

  const warned = new Set();
  const util = {
    inspect,
    format,
    formatWithOptions,
    promisify,
    callbackify,
    types,
    TextEncoder,
    TextDecoder,
    MIMEType: undefined,
    inherits(child, parent) {
      callable(child, "ctor");
      callable(parent, "superCtor");
      Object.defineProperty(child, "super_", { value: parent, writable: true, configurable: true });
      Object.setPrototypeOf(child.prototype, parent.prototype);
    },
    deprecate(original, message, code) {
      const deprecated = function (...args) {
        if (!warned.has(code ?? message)) {
          warned.add(code ?? message);
          console.warn(`DeprecationWarning: ${message}`);
        }
        return new.target ? Reflect.construct(original, args, new.target) : Reflect.apply(original, this, args);
      };
      Object.setPrototypeOf(deprecated, original);
      if (original.prototype) deprecated.prototype = original.prototype;
      return deprecated;
    },
    debuglog: () => Object.assign(() => {}, { enabled: false }),
    isDeepStrictEqual: (a, b) => same(a, b, true),
    stripVTControlCharacters: (text) => text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, ""),
    styleText: (_format, text) => String(text),
    toUSVString: (text) => String(text).toWellFormed(),
    aborted: (signal) => new Promise((resolve) => signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })),
    getSystemErrorName: (code) => String(code),
    isArray: Array.isArray,
    parseEnv(text) {
      const out = {};
      for (const [, key, value] of text.matchAll(/^\s*(?:export\s+)?([\w.-]+)\s*=\s*(.*?)\s*$/gm)) out[key] = value.replace(/^(['"`])(.*)\1$/, "$2");
      return out;
    },
  };
  delete util.MIMEType;
  util.debug = util.debuglog;
  Object.defineProperty(util, "sameForAssert", { value: same });
  return util;
})()
