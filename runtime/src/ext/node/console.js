// node:console: the global one, and `Console` for those who want theirs written to streams.
(() => {
  const web = __bootstrap.core.loadExtScript("ext:deno_web/01_console.js");
  const { format } = __bootstrap.node("util");
  const WARNING = 2;
  const FORMATTED = ["log", "info", "debug", "warn", "error"];
  class Console {
    constructor(options, stderr) {
      const stdout = options?.stdout ?? options;
      stderr = options?.stdout === undefined ? stderr ?? stdout : options.stderr ?? stdout;
      if (typeof stdout?.write !== "function" || typeof stderr.write !== "function") {
        throw Object.assign(new TypeError("Console expects a writable stream instance"), {
          code: "ERR_CONSOLE_WRITABLE_STREAM",
        });
      }
      const inner = new web.Console((text, level) => (level >= WARNING ? stderr : stdout).write(text));
      for (const name of Object.keys(console)) {
        if (typeof inner[name] !== "function") continue;
        // Node's `%d` keeps fractions, the web's does not.
        this[name] = FORMATTED.includes(name)
          ? (...args) => inner[name](args.length === 0 ? "" : format(...args))
          : (...args) => inner[name](...args);
      }
    }
  }
  return { ...console, Console };
})()
