// node:process: an emitter with the function's variables, and what packages look at when they load.
//
// `versions.node` is left out: packages that find it take what they need from Node's files and
// sockets, which are not there; without it they take the web's way, which is.
(() => {
  const EventEmitter = __bootstrap.node("events");
  const process = Object.create(Object.create(EventEmitter.prototype, { constructor: { value: function process() {} } }));
  EventEmitter.call(process);
  let env;
  const stream = (level) => ({
    fd: level === "log" ? 1 : 2,
    isTTY: false,
    writable: true,
    columns: 80,
    write(chunk, encoding, done) {
      console[level](String(chunk).replace(/\n$/, ""));
      (typeof encoding === "function" ? encoding : done)?.();
      return true;
    },
    on() {
      return this;
    },
    once() {
      return this;
    },
    emit: () => false,
    end() {},
  });
  const from = performance.now();
  const hrtime = (before) => {
    const now = performance.now() - from;
    let seconds = Math.floor(now / 1e3), nanos = Math.floor(now % 1e3 * 1e6);
    if (before !== undefined) {
      seconds -= before[0];
      nanos -= before[1];
      if (nanos < 0) [seconds, nanos] = [seconds - 1, nanos + 1e9];
    }
    return [seconds, nanos];
  };
  hrtime.bigint = () => BigInt(Math.floor((performance.now() - from) * 1e6));
  const refuse = (name) => () => {
    throw Object.assign(new Error(`process.${name}() is not available to functions`), { code: "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM" });
  };
  Object.assign(process, {
    title: "isle",
    version: "v22.0.0",
    versions: { isle: "1" },
    arch: "x64",
    platform: "linux",
    release: { name: "isle" },
    argv: ["isle"],
    argv0: "isle",
    execArgv: [],
    execPath: "/isle",
    pid: 1,
    ppid: 0,
    exitCode: undefined,
    features: {},
    config: { variables: {}, target_defaults: {} },
    stdout: stream("log"),
    stderr: stream("error"),
    stdin: { fd: 0, isTTY: false, on() { return this; }, read: () => null },
    cwd: () => "/",
    uptime: () => (performance.now() - from) / 1000,
    hrtime,
    umask: () => 18,
    memoryUsage: Object.assign(() => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }), { rss: () => 0 }),
    cpuUsage: () => ({ user: 0, system: 0 }),
    resourceUsage: () => ({}),
    // Before other microtasks in Node; here it is one of them.
    nextTick: (callback, ...args) => queueMicrotask(() => callback(...args)),
    emitWarning: (warning) => console.warn(warning instanceof Error ? warning : `Warning: ${warning}`),
    getBuiltinModule: (name) => {
      try {
        return __bootstrap.node(name);
      } catch {
        return undefined;
      }
    },
    exit: refuse("exit"),
    abort: refuse("abort"),
    kill: refuse("kill"),
    chdir: refuse("chdir"),
    binding: refuse("binding"),
    dlopen: refuse("dlopen"),
  });
  const current = () => env ??= __bootstrap.env();
  Object.defineProperty(process, "env", {
    configurable: true,
    enumerable: true,
    get: () => env ?? __bootstrap.envOfBuild(current) ?? current(),
    set: (value) => {
      env = value;
    },
  });
  return process;
})()
