// Takes from deno_core's own objects what none of the platform's scripts names, before the first of
// them runs: every object in the base snapshot is an object in every isolate. `names` are the words
// of all scripts; `kept` is what deno_core itself looks for at a restore.
(globalThis, names, kept) => {
  "use strict";
  const { core, primordials } = globalThis.__bootstrap;
  // What deno_core deletes when it has looked for it, and looks for again when it restores a snapshot.
  for (const [key, value] of Object.entries(Object.freeze.core())) core[key] ??= value;
  primordials.ObjectFreeze = Object.freeze = Object.freeze.original;
  primordials.ReflectDefineProperty = Reflect.defineProperty = Reflect.defineProperty.original;
  // deno_core keeps a copy of both, for scripts that it would load itself.
  core.ops.op_set_captured_bootstrap({ __proto__: null });
  const prune = (object, wanted) => {
    for (const key of Reflect.ownKeys(object)) {
      if (typeof key === "string" && !wanted(key)) delete object[key];
    }
  };
  const words = new Set(names);
  prune(primordials, (name) => words.has(name));
  prune(core.ops, (name) => words.has(name));
  const restored = new Set(kept);
  prune(core, (name) => words.has(name) || restored.has(name));
  Object.freeze(core);
}
