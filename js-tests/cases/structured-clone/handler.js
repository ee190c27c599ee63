export const handler = async () => {
  const original = { date: new Date(0), map: new Map([["k", new Set([1])]]), bytes: new Uint8Array([1, 2]), error: new RangeError("r") };
  original.self = original;
  const copy = structuredClone(original);
  const moved = new ArrayBuffer(8);
  structuredClone(moved, { transfer: [moved] });
  let refused;
  try {
    structuredClone(() => {});
  } catch (error) {
    refused = error.name;
  }
  return {
    date: copy.date.getTime(),
    set: [...copy.map.get("k")],
    bytes: [...copy.bytes],
    error: copy.error instanceof RangeError && copy.error.message,
    cycle: copy.self === copy && copy !== original,
    moved: moved.byteLength,
    refused,
  };
};
