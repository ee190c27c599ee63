// A global set by one version of a function is not seen by its next deployment, nor by others.
const before = globalThis.leftBehind ?? "nothing";
globalThis.leftBehind = "something";
export const handler = async () => before;
