await new Promise(() => queueMicrotask(function again() {
  queueMicrotask(again);
}));
export const handler = async () => "never";
