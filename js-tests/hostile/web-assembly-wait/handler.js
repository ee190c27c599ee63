// (module (memory 1 1 shared) (func (export "f") (result i32) i32.const 0 i32.const 0 i64.const -1 memory.atomic.wait32))
// A thread that waits uses no CPU time: no clock but the wall's would end it.
const bytes = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 5, 4, 1, 3, 1, 1, 7, 5, 1, 1, 102, 0, 0, 10, 14, 1, 12, 0, 65, 0,
  65, 0, 66, 127, 254, 1, 2, 0, 11,
]);
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return String(new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.f());
};
