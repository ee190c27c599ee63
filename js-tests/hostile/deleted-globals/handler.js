for (const name of Object.getOwnPropertyNames(globalThis)) {
  try {
    delete globalThis[name];
  } catch {}
}
export const handler = async (event) => (event.rawPath === "/benign" ? "benign" : "answered");
