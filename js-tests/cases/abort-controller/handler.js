export const handler = async () => {
  const seen = [];
  const controller = new AbortController();
  controller.signal.addEventListener("abort", (event) => seen.push(event.type));
  const any = AbortSignal.any([controller.signal, new AbortController().signal]);
  controller.abort(new Error("enough"));
  const timeout = AbortSignal.timeout(1);
  await new Promise((resolve) => timeout.addEventListener("abort", resolve));
  let thrown;
  try {
    AbortSignal.abort().throwIfAborted();
  } catch (error) {
    thrown = error.name;
  }
  return { seen, reason: controller.signal.reason.message, any: any.aborted, timeout: timeout.reason.name, thrown };
};
