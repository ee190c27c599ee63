export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  queueMicrotask(function again() {
    queueMicrotask(again);
  });
  await new Promise(() => {});
};
