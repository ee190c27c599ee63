const names = ["Deno", "__bootstrap", "__isle", "require", "module", "__dirname", "window", "importScripts"];
const globalThisAgain = [
  globalThis,
  Function("return this")(),
  (0, eval)("this"),
  (async () => {}).constructor("return this"),
  (function* () {}).constructor("return this"),
];
export const handler = async () => ({
  found: names.filter((name) => name in globalThis),
  viaFunction: names.filter((name) => Function(`return typeof ${name}`)() !== "undefined"),
  otherGlobals: globalThisAgain.slice(0, 3).filter((g) => g !== globalThis).length,
  // The global object is an EventTarget; what is kept on it for that is its listeners,
  // and what every platform object has, and nothing else.
  symbols: Object.getOwnPropertySymbols(globalThis)
    .filter((s) => s !== Symbol.toStringTag)
    .map((s) => Object.keys(globalThis[s]).sort().join()),
});
