// What stands around a packed test: an ordinary function's module that runs the test in its own
// isolate and answers with the result of each subtest. `test` and `body`, the test's text, are
// defined by the packer.

const g = globalThis;

// The header that a test asks its server for: `?pipe=header(Name,value)`.
function pipedHeaders(url) {
  const piped = /^header\(([^,]*),(.*)\)$/.exec(url.searchParams.get("pipe") ?? "");
  return piped === null ? {} : { [piped[1].toLowerCase()]: piped[2] };
}

// Files that the test fetches travel inside the module. Anything else goes to the real `fetch`.
function serveFixtures() {
  const names = Object.keys(test.fixtures);
  if (names.length === 0) return;
  const real = g.fetch;
  const base = `http://${test.authority}/${test.path}`;
  g.fetch = { async fetch(input, init) {
    let url;
    try {
      url = new URL(typeof input === "string" ? input : input?.url || String(input), base);
    } catch {}
    const content = url?.host === test.authority ? test.fixtures[url.pathname] : undefined;
    if (content === undefined) return real.apply(g, arguments);
    const extension = url.pathname.split(".").pop();
    const type = { json: "application/json", wasm: "application/wasm" }[extension] ?? "text/plain";
    const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
    const signal = init?.signal ?? input?.signal;
    signal?.throwIfAborted();
    await undefined;
    signal?.throwIfAborted();
    return new Response(bytes, { headers: { "content-type": type, ...pipedHeaders(url) } });
  } }.fetch;
}

const results = [];
let finish;

// Called by the body between the harness and the test.
g.__afterHarness = () => {
  // JSON has no place for half a character.
  const text = (long, most) => (long ?? "").slice(0, most).toWellFormed();
  g.add_result_callback((t) => results.push([text(t.name, 1_000), t.status, text(t.message, 200)]));
  g.add_completion_callback((_, status) => finish({ status: status.status, message: text(status.message, 300) }));
};

function run() {
  g.GLOBAL = { isWindow: () => false, isWorker: () => true, isShadowRealm: () => false };
  const location = new URL(`http://${test.authority}/${test.path.replace(/\.any\.js$/, ".any.worker.html")}${test.variant}`);
  try {
    Object.defineProperty(g, "location", { value: location, configurable: true, writable: true });
  } catch {}
  serveFixtures();
  return new Promise((resolve) => {
    finish = resolve;
    // 2 is the harness's own word for a timeout, 1 for an error.
    setTimeout(() => resolve({ status: 2, message: "out of time" }), test.long ? 50_000 : 20_000);
    try {
      (0, eval)(body);
    } catch (error) {
      resolve({ status: 1, message: `top level: ${String(error?.stack ?? error).slice(0, 300)}` });
    }
  });
}

export const handler = async () => {
  const ended = await run();
  const headers = { "content-type": "application/json" };
  return { statusCode: 200, headers, body: JSON.stringify({ ...ended, tests: results }) };
};
