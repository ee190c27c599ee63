// Fetch handlers: finds the one that a module exports, gives it a Request, and takes its Response
// apart. Loaded when a function that exports one is loaded.
//
// What a handler does not look at is not made: URL, headers and signal of a request are put
// together at their first use, and the bodies that most requests and responses have (none, or text)
// never become streams.
(function () {
const { core, primordials } = __bootstrap;
const { op_isle_body_arrived, op_isle_body_discard, op_isle_body_take, op_isle_fetch_pass } = core.ops;
const {
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  FunctionPrototypeCall,
  FunctionPrototypeToString,
  JSONParse,
  ObjectPrototypeIsPrototypeOf,
  ReflectOwnKeys,
  SafeWeakMap,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  TypeError,
  TypedArrayPrototypeGetByteLength,
  WeakMapPrototypeGet,
  WeakMapPrototypeSet,
} = primordials;
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");
const { URL } = core.loadExtScript("ext:deno_web/00_url.js");
const streams = core.loadExtScript("ext:deno_web/06_streams.js");
const { extractBody, InnerBody } = core.loadExtScript("ext:deno_fetch/22_body.js");
const { fromInnerRequest } = core.loadExtScript("ext:deno_fetch/23_request.js");
const responses = core.loadExtScript("ext:deno_fetch/23_response.js");
const exchange = core.loadExtScript("ext:isle/exchange.js");
const { onAbort, onSignal, open, send, setPump, waitUntil } = exchange;
const { ResponsePrototype, responseBodyUsed, getInnerResponse, toInnerResponse } = responses;
const {
  serveFastBodyKey,
  serveFastConsumedKey,
  serveFastContentTypeKey,
  serveFastHeaderKindKey,
  serveFastStatusKey,
  SERVE_FAST_HEADER_CONTENT_TYPE,
  SERVE_FAST_HEADER_DEFAULT_TEXT,
} = responses;
const { ReadableStreamPrototype, ReadableStreamDefaultReader, getReadableStreamResourceBacking } = streams;
const { read: readerRead, cancel: readerCancel } = ReadableStreamDefaultReader.prototype;

const LEFT = "the client left";

// --- the request ---------------------------------------------------------------------------------

/** What `Request` wraps. The same members as deno_fetch's `newInnerRequest` makes. */
class Incoming {
  redirectMode = "follow";
  redirectCount = 0;
  clientRid = null;
  blobUrlEntry = null;
  #id;
  #url;
  #plain;
  #headers;
  #list = null;
  #body;

  constructor(id, method, url, plain, headers, body) {
    this.#id = id;
    this.method = method;
    this.#url = url;
    this.#plain = plain;
    this.#headers = headers;
    this.#body = body;
  }

  url() {
    if (!this.#plain) {
      this.#url = new URL(this.#url).href;
      this.#plain = true;
    }
    return this.#url;
  }

  currentUrl() {
    return this.url();
  }

  get urlList() {
    return [() => this.url()];
  }

  get urlListProcessed() {
    return [this.url()];
  }

  get headerList() {
    if (this.#list === null) {
      const list = this.#list = [];
      const parts = StringPrototypeSplit(this.#headers, "\n");
      for (let i = 0; i + 1 < parts.length; i += 2) ArrayPrototypePush(list, [parts[i], parts[i + 1]]);
      this.#headers = "";
    }
    return this.#list;
  }

  set headerList(list) {
    this.#list = list;
  }

  get body() {
    const body = this.#body;
    if (body === null || typeof body === "object" && body instanceof InnerBody) return body;
    // Text or bytes that came with the request, or `true`: it is on its way.
    return this.#body = body === true ? new InnerBody(incomingStream(this.#id)) : new WholeBody(body);
  }

  set body(body) {
    this.#body = body;
  }

  /** Called when a signal is asked for. */
  onCancel(callback) {
    onSignal(this.#id, callback);
  }
}

/** What a stream is made of that was a request's whole body, to be recognised in a response. */
const sources = new SafeWeakMap();

/** A body that came with its request. Its stream is one of bytes, like that of a longer one. */
class WholeBody extends InnerBody {
  constructor(body) {
    super({ body, consumed: false });
  }

  get stream() {
    const there = this.streamOrStatic;
    if (ObjectPrototypeIsPrototypeOf(ReadableStreamPrototype, there) || there.consumed) return super.stream;
    const { body } = there;
    const pull = async (controller) => {
      streams.readableByteStreamControllerEnqueue(controller, typeof body === "string" ? core.encode(body) : body);
      streams.readableByteStreamControllerClose(controller);
    };
    const stream = streams.createReadableByteStream(() => {}, pull, async () => {});
    WeakMapPrototypeSet(sources, stream, body);
    return this.streamOrStatic = stream;
  }
}

/** The body of a request as it comes. Nothing is read before somebody reads. */
function incomingStream(id) {
  const pull = async (controller) => {
    for (;;) {
      const piece = op_isle_body_take(id);
      if (piece === undefined) {
        await op_isle_body_arrived(id);
      } else if (piece === null) {
        streams.readableByteStreamControllerClose(controller);
        controller.byobRequest?.respond(0);
        return;
      } else {
        streams.readableByteStreamControllerEnqueue(controller, piece);
        return;
      }
    }
  };
  const stream = streams.createReadableByteStream(() => {}, pull, async () => op_isle_body_discard(id));
  onAbort(id, () => streams.errorReadableStream(stream, new DOMException("the request's body broke off", "AbortError")));
  return stream;
}

/** The third argument of a fetch handler. */
class ExecutionContext {
  #id;
  #params;

  constructor(id, params) {
    this.#id = id;
    this.#params = params;
  }

  // Getters that return functions of their own, so that they work taken out of the object.
  get waitUntil() {
    const id = this.#id;
    return function (promise) {
      if (arguments.length === 0) throw new TypeError("waitUntil needs a promise");
      waitUntil(id, promise);
    };
  }

  get passThroughOnException() {
    return function () {
      throw new TypeError(
        "passThroughOnException is not available: behind a function of this node there is no origin to pass through to",
      );
    };
  }

  /** The route's path parameters, decoded. */
  get params() {
    if (typeof this.#params === "string") this.#params = JSONParse(this.#params);
    return this.#params ??= {};
  }

  get props() {
    return {};
  }
}

// --- the handler ---------------------------------------------------------------------------------

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

let handler;
let env;

function isClass(value) {
  return StringPrototypeStartsWith(FunctionPrototypeToString(value), "class");
}

/** Finds the handler among a module's exports; throws what its author should know. */
function find(namespace) {
  const main = namespace.default;
  if (typeof main === "function") {
    if (isClass(main)) throw new TypeError("exports a class as default, expected a function or an object with `fetch`");
    return (request, ctx) => main(request, env, ctx);
  }
  if (main !== null && typeof main === "object") {
    const { fetch } = main;
    if (typeof fetch === "function") return (request, ctx) => FunctionPrototypeCall(fetch, main, request, env, ctx);
    if (fetch !== undefined) throw new TypeError("exports an object as default whose `fetch` is not a function");
  }
  const methods = { __proto__: null };
  const allowed = [];
  for (let i = 0; i < METHODS.length; i++) {
    const method = METHODS[i];
    const one = namespace[method];
    if (one === undefined) {
      if (method !== "HEAD" || methods.GET === undefined) continue;
      methods.HEAD = methods.GET;
    } else if (typeof one === "function") {
      methods[method] = one;
    } else {
      throw new TypeError(`exports a \`${method}\` that is not a function`);
    }
    ArrayPrototypePush(allowed, method);
  }
  if (allowed.length === 0) {
    const names = [];
    const keys = ReflectOwnKeys(namespace);
    for (let i = 0; i < keys.length; i++) if (typeof keys[i] === "string") ArrayPrototypePush(names, `\`${keys[i]}\``);
    const there = names.length === 0 ? "it exports nothing" : `it exports ${ArrayPrototypeJoin(names, ", ")}`;
    throw new TypeError(
      "exports no `handler`, no default that is a function or has `fetch`, and no function named GET, POST, ...; " +
        there,
    );
  }
  const allow = ArrayPrototypeJoin(allowed, ", ");
  return (request, ctx) => {
    const one = methods[request.method];
    if (one !== undefined) return one(request, env, ctx);
    return new responses.Response("Method Not Allowed", { status: 405, headers: { allow } });
  };
}

// --- the response --------------------------------------------------------------------------------

/** What Rust reads: status, header fields (a kind or text), body, what is left to do. */
const out = [0, 0, null, 0];
const NO_HEADERS = 0, TEXT_HEADERS = 1, JSON_HEADERS = 2;
const STREAM = 1, WAITS = 2;

function tell(value) {
  if (value === undefined) return "undefined";
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value === "function" ? "a function" : `a ${typeof value}`;
  return "an object that is no Response";
}

const USED = "the response's body was used before: a Response can be returned once";

/** Bits of `how`: nobody wants the body; from the next one on, the codings that the client takes. */
const NO_BODY = 1, CODINGS = 1;

/**
 * Reads the response into `out`; returns what is wrong with it, for its author.
 * @param {number} how what the client wants
 */
function respond(value, id, how) {
  if (
    value === null || typeof value !== "object" || !ObjectPrototypeIsPrototypeOf(ResponsePrototype, value) ||
    getInnerResponse(value) === undefined
  ) {
    return `the handler returned ${tell(value)}, expected a Response`;
  }
  out[3] = 0;
  const wrong = read(value, id, how);
  const left = open.size === 0 ? undefined : open.get(id);
  if (left !== undefined) {
    if (left.waiting > 0) out[3] |= WAITS;
    // The signal of a request whose response is being streamed may still fire.
    else if ((out[3] & STREAM) === 0) open.delete(id);
  }
  return wrong;
}

/** Puts status, header fields and body into `out`; returns what is wrong. */
function read(value, id, how) {
  const text = value[serveFastBodyKey];
  if (value[serveFastStatusKey] === 200 && text !== null) {
    if (responseBodyUsed(value)) return USED;
    value[serveFastConsumedKey] = true;
    const kind = value[serveFastHeaderKindKey];
    out[0] = 200;
    out[1] = kind === SERVE_FAST_HEADER_DEFAULT_TEXT
      ? TEXT_HEADERS
      : kind === SERVE_FAST_HEADER_CONTENT_TYPE
      ? fromType(value[serveFastContentTypeKey])
      : NO_HEADERS;
    out[2] = text;
    return undefined;
  }
  const inner = toInnerResponse(value);
  if (inner.type === "error") return "the handler returned Response.error()";
  out[0] = inner.status;
  out[1] = headerText(inner, how >> CODINGS);
  out[2] = inner.body === null ? null : takeBody(inner.body, id, (how & NO_BODY) !== 0, value);
  return typeof out[2] === "object" && out[2] !== null && out[2].wrong !== undefined ? out[2].wrong : undefined;
}

const ENCODING = "content-encoding";

/**
 * The header fields as they are sent. Those that are only true of a body as it came from another
 * server (`runtime/patches.rs` marks them) go with it when it is sent on as it came, else nowhere.
 */
function headerText({ headerList, body }, takes) {
  let text = "", came = "", own = "";
  for (let i = 0; i < headerList.length; i++) {
    const entry = headerList[i];
    const field = `${entry[0]}\n${entry[1]}\n`;
    const encoding = entry[0].length === ENCODING.length && StringPrototypeToLowerCase(entry[0]) === ENCODING;
    if (entry.length === 3) {
      if (encoding) came += field;
    } else if (encoding) own += field;
    else text += field;
  }
  return came === "" && own === "" ? text : text + encodingText(body, came, own, takes);
}

// What `op_isle_fetch_pass` answers; else the body is as it is.
const UNPACKED = 1, AS_IT_CAME = 2;

/** What is true of a body: `came`, the coding that it came with, or `own`, what the function says. */
function encodingText(body, came, own, takes) {
  if (body === null) return own;
  const there = body.streamOrStatic;
  if (!ObjectPrototypeIsPrototypeOf(ReadableStreamPrototype, there)) {
    // Characters are no compressed bytes: fields that went through an object have lost their mark.
    return typeof there.body === "string" && there.body !== "" && isCoding(own) ? "" : own;
  }
  const backing = getReadableStreamResourceBacking(there);
  if (backing === null || backing === undefined) return own;
  switch (op_isle_fetch_pass(backing.rid, came === "" ? 0 : takes)) {
    case AS_IT_CAME:
      return came + own;
    case UNPACKED:
      return "";
    default:
      return own;
  }
}

function isCoding(field) {
  switch (StringPrototypeToLowerCase(field)) {
    case "content-encoding\ngzip\n":
    case "content-encoding\ndeflate\n":
    case "content-encoding\nbr\n":
    case "content-encoding\nzstd\n":
      return true;
    default:
      return false;
  }
}

function fromType(type) {
  return type === "application/json" ? JSON_HEADERS : `content-type\n${type}\n`;
}

/** The body if it is there, else `null` with a pump set up for it. */
function takeBody(body, id, noBody, response) {
  let there = body.streamOrStatic;
  if (response[serveFastConsumedKey] || body.unusable()) return { __proto__: null, wrong: USED };
  if (ObjectPrototypeIsPrototypeOf(ReadableStreamPrototype, there)) {
    // Text or bytes that were made a stream of, which nobody has read, are themselves again.
    const source = WeakMapPrototypeGet(sources, there);
    there = source === undefined ? extractBody(there).body.streamOrStatic : { body: source, consumed: false };
    if (ObjectPrototypeIsPrototypeOf(ReadableStreamPrototype, there)) {
      out[3] |= STREAM;
      pumpStream(there, id, noBody);
      return null;
    }
  }
  response[serveFastConsumedKey] = true;
  there.consumed = true;
  return there.body;
}

function pumpStream(stream, id, noBody) {
  const reader = streams.acquireReadableStreamDefaultReader(stream);
  const cancel = (reason) => {
    // A source that fails at being cancelled has nobody to tell but its author.
    const cancelled = FunctionPrototypeCall(readerCancel, reader, reason);
    waitUntil(id, cancelled);
  };
  onAbort(id, () => cancel(new DOMException(LEFT, "AbortError")));
  setPump(id, async () => {
    if (noBody) return cancel(new DOMException("the request was a HEAD request", "AbortError"));
    for (;;) {
      const { done, value } = await FunctionPrototypeCall(readerRead, reader);
      if (done) return;
      try {
        if (!exchange.isBytes(value)) {
          throw new TypeError(`a piece of the response's body is ${tellPiece(value)}, expected a Uint8Array`);
        }
        if (TypedArrayPrototypeGetByteLength(value) === 0) continue;
        if (!await send(id, value)) return;
      } catch (error) {
        cancel(error);
        throw error;
      }
    }
  });
}

function tellPiece(value) {
  return typeof value === "string" ? "a string (encode it with TextEncoder)" : value === null ? "null" : `a ${typeof value}`;
}

const hooks = {
  __proto__: null,
  adopt(namespace) {
    handler = find(namespace);
  },
  setEnv(theEnv) {
    env = theEnv;
  },
  enter(id, method, url, plain, headers, body, params) {
    const request = fromInnerRequest(new Incoming(id, method, url, plain, headers, body), "immutable");
    return handler(request, new ExecutionContext(id, params));
  },
  respond,
  out,
};

return { hooks };
})();
