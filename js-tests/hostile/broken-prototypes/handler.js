// A function that breaks the language for itself must not break the runtime around it.
const broken = () => {
  throw new Error("broken by the tenant");
};
const targets = [
  [Array.prototype, ["map", "forEach", "push", "join", "slice", "indexOf", Symbol.iterator]],
  [String.prototype, ["split", "slice", "replace", "startsWith", "toLowerCase", "charCodeAt"]],
  [Object, ["keys", "entries", "assign", "defineProperty", "create", "getPrototypeOf", "fromEntries", "freeze"]],
  [Reflect, ["apply", "get", "ownKeys", "construct", "has"]],
  [JSON, ["parse", "stringify"]],
  [Map.prototype, ["get", "set", "has", "delete"]],
  [WeakMap.prototype, ["get", "set", "has"]],
  [Promise, ["resolve", "reject", "all", "race"]],
  [Promise.prototype, ["then", "catch", "finally"]],
  [Function.prototype, ["call", "apply", "bind", "toString", Symbol.hasInstance]],
  [Number, ["isInteger"]],
  [Math, ["floor", "random"]],
  [Date, ["now"]],
];
let armed = false;
export const handler = async (event) => {
  if (!armed && event.rawPath !== "/benign") {
    armed = true;
    for (let t = 0; t < targets.length; t++) {
      const holder = targets[t][0];
      const names = targets[t][1];
      for (let n = 0; n < names.length; n++) {
        try {
          holder[names[n]] = broken;
        } catch {}
      }
    }
    Error.prepareStackTrace = broken;
  }
  return event.rawPath === "/benign" ? "benign" : "answered";
};
