const timeout = AbortSignal.timeout(20);
const controller = new AbortController();
let heard = 0;
controller.signal.addEventListener("abort", () => heard++);
const aborted = AbortSignal.abort("early");

export const handler = async () => {
  if (!timeout.aborted) await new Promise((done) => timeout.addEventListener("abort", done));
  controller.abort("late");
  return {
    timeout: timeout.reason.name,
    heard: heard > 0,
    reasons: [aborted.reason, controller.signal.reason],
  };
};
