// Shared memory is a clock for side-channel attacks: there is none, by any door.
const named = (value) => Object.prototype.toString.call(value).slice(8, -1);
const attempt = (make) => {
  try {
    return named(make());
  } catch {
    return "refused";
  }
};
// (module (memory (export "m") 1 1 shared))
const sharedModule = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 5, 4, 1, 3, 1, 1, 7, 5, 1, 1, 109, 2, 0]);
export const handler = async () => {
  const attempts = {
    memory: attempt(() => new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer),
    module: attempt(() => new WebAssembly.Instance(new WebAssembly.Module(sharedModule)).exports.m.buffer),
    constructed: attempt(() => new (new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer.constructor)(8)),
    // Not shared when it is checked, shared when it is made.
    undecided: attempt(() => {
      let reads = 0;
      const shared = { get shared() { return ++reads > 1; } };
      return new WebAssembly.Memory({ __proto__: shared, initial: 1, maximum: 1 }).buffer;
    }),
    reflected: attempt(() => Reflect.construct(WebAssembly.Memory, [{ initial: 1, maximum: 1, shared: true }], Object).buffer),
    subclass: attempt(() => new (class extends WebAssembly.Memory {})({ initial: 1, maximum: 1, shared: true }).buffer),
    // What the function made by a module calls its constructor is the same one.
    ownConstructor: attempt(() => {
      const memory = new WebAssembly.Memory({ initial: 1 });
      return new memory.constructor({ initial: 1, maximum: 1, shared: true }).buffer;
    }),
  };
  return {
    global: typeof SharedArrayBuffer,
    own: "SharedArrayBuffer" in globalThis,
    shared: Object.entries(attempts).filter(([, name]) => name === "SharedArrayBuffer").map(([way]) => way),
  };
};
