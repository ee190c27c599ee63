const things = ["text", 7, null, undefined, { a: 1 }, Symbol("s"), 10n, new Proxy({}, { get() { throw 1; } })];
export const handler = async (event) => {
  throw things[Number(event.rawPath.slice(1))];
};
