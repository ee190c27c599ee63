// Code made from text is the tenant's own code: it sees the same globals and nothing more.
const make = [Function, (async () => {}).constructor, (function* () {}).constructor, (async function* () {}).constructor];
const names = ["Deno", "core", "ops", "primordials", "internals", "bootstrap", "__bootstrap"];
export const handler = async () => {
  const found = [];
  for (const constructor of make) {
    for (const name of names) {
      const run = constructor(`return typeof ${name}`);
      let value = run();
      if (typeof value?.next === "function") value = (await value.next()).value;
      if ((await value) !== "undefined") found.push(name);
    }
  }
  const viaChain = [].constructor.constructor("return this")() === globalThis;
  return { found, viaChain };
};
