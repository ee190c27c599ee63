// Runs once, when the base snapshot is made: what nearly every function does in its first
// moments. V8 compiles a function when it is first called, and what it has compiled goes into the
// snapshot, so no isolate pays for it again. Looks at nothing that is made when it is first looked at.
((globalThis) => {
  "use strict";
  const hooks = globalThis.__isle;
  hooks.fix("{}");
  hooks.adopt(async (_event, context) => context.getRemainingTimeInMillis());
  hooks.enter('{"version":"2.0","headers":{}}', "body", "id", 0);
  hooks.adopt(undefined);
  hooks.fix("null");

  clearTimeout(setTimeout(() => {}, 0));
  clearInterval(setInterval(() => {}, 1));
  const target = new EventTarget();
  const listener = (event) => event.preventDefault();
  target.addEventListener("x", listener);
  target.dispatchEvent(new CustomEvent("x", { detail: 1, cancelable: true }));
  target.removeEventListener("x", listener);
  void new DOMException("message", "AbortError").code;

  performance.now();
  void performance.timeOrigin;
})(globalThis);
