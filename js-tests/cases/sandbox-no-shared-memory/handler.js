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
  };
  return {
    global: typeof SharedArrayBuffer,
    own: "SharedArrayBuffer" in globalThis,
    shared: Object.entries(attempts).filter(([, name]) => name === "SharedArrayBuffer").map(([way]) => way),
  };
};
