// What carries an invocation's mark and its stores never comes into the program's hands.
import { AsyncLocalStorage } from "node:async_hooks";

const storage = new AsyncLocalStorage();
const watch = (object, name, seen) => {
  const original = object[name];
  object[name] = function (...args) {
    seen.push(name);
    return original.call(this, ...args);
  };
  return () => object[name] = original;
};

export const handler = async () => {
  const seen = [];
  const watched = [[Array, "isArray"], [Map.prototype, "get"], [Map.prototype, "set"], [Map.prototype, "has"], [Map.prototype, "delete"], [Reflect, "apply"]];
  const restore = watched.map(([object, name]) => watch(object, name, seen));
  const other = new AsyncLocalStorage();
  const stored = storage.run("outer", () => other.run("inner", () => [storage.getStore(), other.getStore()]));
  other.disable();
  restore.forEach((again) => again());
  return { seen, stored, after: storage.getStore() ?? null };
};
