for (const holder of [globalThis, Object, Array, Promise, Function, Error, JSON, Reflect, Map, Set, String, URL, Response]) {
  Object.freeze(holder);
  if (holder.prototype) Object.freeze(holder.prototype);
}
export const handler = async (event) => {
  await new Promise((resolve) => setTimeout(resolve, 1));
  return event.rawPath === "/benign" ? "benign" : "answered";
};
