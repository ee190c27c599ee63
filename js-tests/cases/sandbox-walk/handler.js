// Everything that can be reached from the global object by properties, prototypes, getters' results
// and constructors, looked through for what belongs to the host.
const suspicious = /^op_|^(core|ops|internals|primordials|Deno|__bootstrap|asyncOps|opNames|bootstrap|ext:)/;

function walk(roots) {
  const found = new Set();
  const seen = new Set();
  const queue = roots.map(([path, value]) => [path, value]);
  while (queue.length > 0 && seen.size < 20_000) {
    const [path, value] = queue.pop();
    if (value === null || (typeof value !== "object" && typeof value !== "function") || seen.has(value)) continue;
    seen.add(value);
    if (typeof value === "function" && suspicious.test(value.name)) found.add(`${path} is function ${value.name}`);
    const proto = Object.getPrototypeOf(value);
    if (proto) queue.push([`${path}.[proto]`, proto]);
    for (const key of Reflect.ownKeys(value)) {
      const name = String(key);
      if (typeof key === "string" && suspicious.test(key)) found.add(`${path}.${name}`);
      const property = Object.getOwnPropertyDescriptor(value, key);
      queue.push([`${path}.get ${name}`, property.get], [`${path}.set ${name}`, property.set]);
      if ("value" in property) queue.push([`${path}.${name}`, property.value]);
      else if (path === "globalThis") {
        try {
          queue.push([`${path}.${name}`, value[key]]);
        } catch {}
      }
    }
  }
  return { seen: seen.size, found: [...found] };
}

export const handler = async (event, context) => {
  const { seen, found } = walk([["globalThis", globalThis], ["event", event], ["context", context], ["meta", import.meta]]);
  return { looked: seen > 500, found };
};
