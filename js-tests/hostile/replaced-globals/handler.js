for (const name of ["Promise", "Error", "Object", "Array", "JSON", "setTimeout", "queueMicrotask", "console", "Symbol", "Uint8Array"]) {
  globalThis[name] = () => {
    throw 1;
  };
}
export const handler = async (event) => (event.rawPath === "/benign" ? "benign" : "answered");
