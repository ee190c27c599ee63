// What `fetch` answers without a network: `data:` and `blob:` URLs.
// https://fetch.spec.whatwg.org/#scheme-fetch
(function () {
const { core, primordials } = __bootstrap;
const { String, StringPrototypeIndexOf, StringPrototypeSlice, StringPrototypeStartsWith, TypeError } = primordials;
const { op_isle_data_url } = core.ops;
const { Request, toInnerRequest } = core.loadExtScript("ext:deno_fetch/23_request.js");
const { fromInnerResponse, newInnerResponse } = core.loadExtScript("ext:deno_fetch/23_response.js");
const { extractBody, InnerBody } = core.loadExtScript("ext:deno_fetch/22_body.js");

function answer(url, body, length, type) {
  const inner = newInnerResponse(200, "OK");
  inner.type = "basic";
  inner.body = body;
  inner.headerList = length === null
    ? [["content-type", type]]
    : [["content-length", String(length)], ["content-type", type]];
  inner.urlList = [() => url];
  inner.url = () => url;
  return fromInnerResponse(inner, "immutable");
}

async function fetchLocal(input, init) {
  const request = new Request(input, init);
  const inner = toInnerRequest(request);
  const { signal } = request;
  if (signal.aborted) throw signal.reason;
  const url = request.url;
  if (StringPrototypeStartsWith(url, "data:")) {
    const hash = StringPrototypeIndexOf(url, "#");
    const found = op_isle_data_url(hash === -1 ? url : StringPrototypeSlice(url, 0, hash));
    if (found === null) throw new TypeError("fetch failed: the data: URL is not valid");
    const body = inner.method === "HEAD" ? null : extractBody(found[1]).body;
    return answer(url, body, null, found[0]);
  }
  if (inner.method !== "GET") throw new TypeError("fetch failed: blob: URLs can only be read");
  const blob = inner.blobUrlEntry;
  if (blob === null || blob === undefined) throw new TypeError("fetch failed: there is no such blob: URL");
  const body = new InnerBody(blob.stream());
  signal.addEventListener("abort", () => body.error(signal.reason));
  return answer(url, body, blob.size, blob.type);
}

const isLocal = (url) => StringPrototypeStartsWith(url, "data:") || StringPrototypeStartsWith(url, "blob:");

// A promise of the answer; undefined for what has to leave.
function localFetch(input, init) {
  const url = typeof input === "string" ? input : input?.url ?? input?.href;
  return typeof url === "string" && isLocal(url) ? fetchLocal(input, init) : undefined;
}

return { localFetch };
})();
