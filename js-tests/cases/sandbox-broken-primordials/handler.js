// Host code must not run through what a tenant can replace: a trap in every method that host code is
// likely to call sees only the tenant's own arguments.
const caught = [];
const hostLike = (value) => {
  if (value === null || !/object|function/.test(typeof value)) return false;
  try {
    return Reflect.ownKeys(value).some((key) => typeof key === "string" && /^op_|^(core|ops|internals|primordials)$/.test(key));
  } catch {
    return false;
  }
};
function trap(holder, name) {
  const original = holder[name];
  holder[name] = function (...args) {
    if (hostLike(this) || args.some(hostLike)) caught.push(name);
    return Reflect.apply(original, this, args);
  };
  return () => (holder[name] = original);
}
export const handler = async () => {
  const apply = Reflect.apply;
  const undo = [
    trap(Function.prototype, "call"),
    trap(Function.prototype, "bind"),
    trap(Array.prototype, "map"),
    trap(Array.prototype, "push"),
    trap(Object, "defineProperty"),
    trap(Object, "assign"),
    trap(Object, "keys"),
    trap(Map.prototype, "get"),
    trap(WeakMap.prototype, "get"),
    trap(Promise.prototype, "then"),
  ];
  await new Response("x").text();
  new URL("https://a.example/?b=c").searchParams.get("b");
  await crypto.subtle.digest("SHA-256", new Uint8Array(1));
  structuredClone({ a: 1 });
  await new Promise((resolve) => setTimeout(resolve, 1));
  console.log("x", { a: [1] });
  for (const restore of undo) apply(restore, undefined, []);
  return { caught };
};
