// Written once per start, whichever way that is; what matters is that the handler's own lines come.
console.log("starting", { at: "the top" });
console.time("start");
const { log, warn } = console;
console.count("starts");

export const handler = async () => {
  log("from the handler");
  warn("%s of %d", "one", 2);
  console.count("starts");
  return { log: typeof log, same: log === console.log };
};
