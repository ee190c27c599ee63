// node:util/types
(() => {
  const { core } = __bootstrap;
  const tag = (name) => (value) => value !== null && typeof value === "object" && Object.prototype.toString.call(value) === `[object ${name}]`;
  const brand = (prototype, key) => {
    const get = Object.getOwnPropertyDescriptor(prototype, key).get ?? prototype[key];
    return (value) => {
      try {
        get.call(value);
        return true;
      } catch {
        return false;
      }
    };
  };
  const typed = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get;
  const types = {
    isArrayBuffer: brand(ArrayBuffer.prototype, "byteLength"),
    isSharedArrayBuffer: () => false,
    isAnyArrayBuffer: brand(ArrayBuffer.prototype, "byteLength"),
    isArrayBufferView: ArrayBuffer.isView,
    isTypedArray: (value) => ArrayBuffer.isView(value) && !(value instanceof DataView),
    isDataView: (value) => ArrayBuffer.isView(value) && typed.call(value) === undefined,
    isMap: brand(Map.prototype, "size"),
    isSet: brand(Set.prototype, "size"),
    isWeakMap: (value) => {
      try {
        WeakMap.prototype.has.call(value, {});
        return true;
      } catch {
        return false;
      }
    },
    isWeakSet: (value) => {
      try {
        WeakSet.prototype.has.call(value, {});
        return true;
      } catch {
        return false;
      }
    },
    isDate: brand(Date.prototype, "getTime"),
    isRegExp: brand(RegExp.prototype, "exec"),
    isPromise: (value) => core.isPromise?.(value) ?? value instanceof Promise,
    isProxy: (value) => core.isProxy?.(value) ?? false,
    isNativeError: (value) => core.isNativeError?.(value) ?? value instanceof Error,
    isBoxedPrimitive: (value) => [Number, String, Boolean, Symbol, BigInt].some((type) => value instanceof type),
    isNumberObject: (value) => value instanceof Number,
    isStringObject: (value) => value instanceof String,
    isBooleanObject: (value) => value instanceof Boolean,
    isSymbolObject: (value) => value instanceof Symbol,
    isBigIntObject: (value) => value instanceof BigInt,
    isAsyncFunction: (value) => typeof value === "function" && Object.prototype.toString.call(value).startsWith("[object Async"),
    isGeneratorFunction: (value) => typeof value === "function" && Object.prototype.toString.call(value).endsWith("GeneratorFunction]"),
    isGeneratorObject: tag("Generator"),
    isMapIterator: tag("Map Iterator"),
    isSetIterator: tag("Set Iterator"),
    isArgumentsObject: tag("Arguments"),
    isModuleNamespaceObject: tag("Module"),
    isExternal: () => false,
    isKeyObject: () => false,
    isCryptoKey: (value) => value instanceof CryptoKey,
    isEventTarget: (value) => value instanceof EventTarget,
  };
  // RegExp's `exec` runs on what is none; the flag getter does not.
  types.isRegExp = (value) => value !== RegExp.prototype && brand(RegExp.prototype, "global")(value);
  for (const name of ["Int8", "Uint8", "Uint8Clamped", "Int16", "Uint16", "Int32", "Uint32", "Float16", "Float32", "Float64", "BigInt64", "BigUint64"]) {
    types[`is${name}Array`] = (value) => ArrayBuffer.isView(value) && typed.call(value) === `${name}Array`;
  }
  return types;
})()
