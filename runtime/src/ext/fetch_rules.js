// What `fetch` has to heed beside the network, and the platform's own leaves out: ranges of blobs,
// subresource integrity, the fields of cache modes, and where a redirect may lead. Loaded with the
// platform's script at the first fetch.
(function () {
const { core, primordials } = __bootstrap;
const {
  ArrayPrototypePush,
  NumberPrototypeToString,
  RegExpPrototypeExec,
  SafeRegExp,
  StringPrototypeCharCodeAt,
  StringPrototypeReplaceAll,
  StringPrototypeSplit,
  StringPrototypeToLowerCase,
  StringPrototypeToUpperCase,
  Uint8Array,
} = primordials;
const { op_isle_digest } = core.ops;
const infra = core.loadExtScript("ext:deno_web/00_infra.js");
const { URL } = core.loadExtScript("ext:deno_web/00_url.js");
const { getLocationHref } = core.loadExtScript("ext:deno_web/12_location.js");
const { InnerBody } = core.loadExtScript("ext:deno_fetch/22_body.js");
const { networkError } = core.loadExtScript("ext:deno_fetch/23_response.js");

const find = (headerList, name) => {
  for (let i = 0; i < headerList.length; i++) {
    if (StringPrototypeToLowerCase(headerList[i][0]) === name) return headerList[i][1];
  }
};
const addMissing = (headerList, name, value) => {
  if (find(headerList, StringPrototypeToLowerCase(name)) === undefined) ArrayPrototypePush(headerList, [name, value]);
};

// https://fetch.spec.whatwg.org/#concept-http-network-or-cache-fetch: there is no cache here, but there may be some on
// the way.
function addCacheFields({ cacheMode, headerList }) {
  if (cacheMode === "no-cache") {
    addMissing(headerList, "Cache-Control", "max-age=0");
  } else if (cacheMode === "no-store" || cacheMode === "reload") {
    addMissing(headerList, "Pragma", "no-cache");
    addMissing(headerList, "Cache-Control", "no-cache");
  }
}

// https://fetch.spec.whatwg.org/#simple-range-header-value
const RANGE = new SafeRegExp("^bytes[\\t ]*=[\\t ]*([0-9]*)[\\t ]*-[\\t ]*([0-9]*)$");

/** The part of a blob that a request asks for, and what the response says of it; undefined: none like that. */
function partOfBlob(headerList, blob) {
  const type = ["content-type", blob.type];
  const header = find(headerList, "range");
  if (header === undefined) {
    const fields = [["content-length", NumberPrototypeToString(blob.size)], type];
    return { blob, status: 200, statusMessage: "OK", headerList: fields };
  }
  const match = RegExpPrototypeExec(RANGE, header);
  if (match === null || (match[1] === "" && match[2] === "")) return undefined;
  const { size } = blob;
  let start = +match[1], end = match[2] === "" ? size - 1 : +match[2];
  if (match[1] === "") {
    start = end < size ? size - end : 0;
    end = size - 1;
  } else if (match[2] !== "" && start > end) {
    return undefined;
  }
  if (start >= size) return undefined;
  if (end >= size) end = size - 1;
  const length = ["content-length", NumberPrototypeToString(end - start + 1)];
  const range = ["content-range", `bytes ${start}-${end}/${size}`];
  return {
    blob: blob.slice(start, end + 1, blob.type),
    status: 206,
    statusMessage: "Partial Content",
    headerList: [length, type, range],
  };
}

// https://w3c.github.io/webappsec-subresource-integrity/#parse-metadata
const METADATA = new SafeRegExp("^(sha256|sha384|sha512)-([A-Za-z0-9+/_-]+={0,2})(?:\\?.*)?$", "i");
const STRENGTH = { __proto__: null, sha256: 1, sha384: 2, sha512: 3 };
const strongest = (integrity) => {
  const words = StringPrototypeSplit(StringPrototypeReplaceAll(integrity, "\t", " "), " ");
  let name, digests = [];
  for (let i = 0; i < words.length; i++) {
    const match = RegExpPrototypeExec(METADATA, words[i]);
    if (match === null) continue;
    const lower = StringPrototypeToLowerCase(match[1]);
    if (name === undefined || STRENGTH[lower] > STRENGTH[name]) {
      name = lower;
      digests = [];
    }
    if (lower === name) ArrayPrototypePush(digests, match[2]);
  }
  return { name, digests };
};
const plain = (digest) =>
  StringPrototypeReplaceAll(StringPrototypeReplaceAll(StringPrototypeReplaceAll(digest, "-", "+"), "_", "/"), "=", "");

/** A response whose whole body has the digest that the request wants; else an error. */
async function withIntegrity(integrity, fetching) {
  const response = await fetching;
  if (response.type === "error" || response.aborted) return response;
  const { name, digests } = strongest(integrity);
  if (name === undefined) return response;
  const body = response.body === null ? new Uint8Array(0) : await response.body.consume();
  const bytes = typeof body === "string" ? core.encode(body) : body;
  const digest = plain(infra.forgivingBase64Encode(op_isle_digest(name, false, new Uint8Array(0), bytes)));
  for (let i = 0; i < digests.length; i++) {
    if (plain(digests[i]) !== digest) continue;
    if (response.body !== null) response.body = new InnerBody({ body: bytes, consumed: false });
    return response;
  }
  return networkError("the body is not what 'integrity' says");
}

/** A Location as characters: its bytes are the URL's, whatever they mean. */
function decodedLocation(location) {
  let text = "";
  for (let i = 0; i < location.length; i++) {
    const code = StringPrototypeCharCodeAt(location, i);
    text += code < 0x80 ? location[i] : `%${StringPrototypeToUpperCase(NumberPrototypeToString(code, 16))}`;
  }
  return text;
}

/** Whether a redirect would hand credentials of somebody's choice to another origin. */
function leadsAstray(target, from) {
  if (target.username === "" && target.password === "") return false;
  const here = getLocationHref();
  const { origin } = target;
  return here === undefined || origin !== new URL(here).origin || origin !== from.origin;
}

return { addCacheFields, decodedLocation, leadsAstray, partOfBlob, withIntegrity };
})();
