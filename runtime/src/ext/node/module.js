// node:module: `require` of what is here.
(() => {
  const require = __bootstrap.require;
  const builtinModules = __bootstrap.nodeNames();
  const isBuiltin = (name) => builtinModules.includes(name.replace(/^node:/, ""));
  return { createRequire: () => require, builtinModules, isBuiltin };
})()
