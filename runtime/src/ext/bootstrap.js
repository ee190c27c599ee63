// Puts the globals of a function's world together. Runs once, when the base snapshot is made;
// what it leaves behind is restored with every isolate.
//
// Whatever a function may never touch stays in this closure. `hooks` is taken by Rust directly
// after a restore and removed from the global object before any code of a tenant runs.
((globalThis) => {
  "use strict";
  const { core, primordials, internals } = globalThis.__bootstrap;
  const { op_isle_compile, op_isle_console, op_isle_is_frozen, op_isle_node_modules, op_isle_random } = core.ops;
  const {
    ArrayPrototypeIncludes,
    ArrayPrototypePush,
    Error,
    JSONParse,
    JSONStringify,
    ObjectAssign,
    ObjectDefineProperties,
    ObjectDefineProperty,
    ReflectApply,
    ReflectConstruct,
    ReflectGetOwnPropertyDescriptor,
    ReflectOwnKeys,
    PromiseReject,
    Proxy,
    String,
    Promise,
    SafeMap,
    SafeSet,
    SymbolFor,
    StringPrototypeSlice,
    StringPrototypeStartsWith,
    TypedArrayPrototypeGetByteLength,
    TypedArrayPrototypeSet,
    TypedArrayPrototypeSubarray,
    TypeError,
    Uint8Array,
  } = primordials;

  // --- loading the platform's scripts ---------------------------------------------------------

  // Two members of `URL` are made by the script of `Blob`, which rests on half the platform.
  const completeURL = (URL) => {
    const names = ["createObjectURL", "revokeObjectURL"];
    for (let i = 0; i < names.length; i++) {
      const name = names[i];
      URL[name] = { [name](_object) {
        return ReflectApply(load("ext:deno_web/09_file.js")[name], this, arguments);
      } }[name];
    }
  };
  const loaded = new SafeMap();
  const ownCore = ObjectAssign({ __proto__: null }, core);
  ownCore.ops = ObjectAssign({ __proto__: null }, core.ops);
  // Errors that nobody caught are told to the author; deno_core's way would end the isolate.
  ownCore.reportUnhandledException = (error) => op_isle_console(`Uncaught ${describe(error)}`, 3);
  // What these make lives outside the JavaScript heap and is silently gone after a restore.
  const noted = (object, key, what) => {
    const real = object[key];
    object[key] = (...args) => {
      touch(what);
      return ReflectApply(real, undefined, args);
    };
  };
  noted(ownCore.ops, "op_blob_create_part", "Blob");
  noted(ownCore.ops, "op_message_port_create_entangled", "MessageChannel");
  noted(ownCore, "createSystemTimer", "AbortSignal.timeout");
  const bootstrap = { __proto__: null, primordials, core: ownCore, internals };
  const load = (specifier) => {
    let exports = loaded.get(specifier);
    if (exports === undefined) {
      const script = op_isle_compile(specifier);
      if (script === undefined) throw new TypeError(`no script ${specifier}`);
      exports = script(bootstrap);
      loaded.set(specifier, exports);
      if (specifier === "ext:deno_web/00_url.js") completeURL(exports.URL);
    }
    return exports;
  };
  ownCore.loadExtScript = load;
  ownCore.createLazyLoader = (specifier) => () => load(specifier);

  // Where the node's clocks stand still, the platform's own scripts read them, too.
  let frozen;
  if (op_isle_is_frozen()) {
    frozen = load("ext:isle/frozen.js");
    bootstrap.primordials = { __proto__: primordials, Date: frozen.Date, DateNow: frozen.now };
  }
  const { DateNow } = bootstrap.primordials;

  // --- Node's modules, for packages that were written for it ------------------------------------

  // Made at the first import; the names that scripts use are those of `bootstrap`.
  bootstrap.nodeNames = () => op_isle_node_modules();
  bootstrap.node = (name) => {
    const specifier = `ext:isle_node/${name}.js`;
    let exports = loaded.get(specifier);
    if (exports === undefined) {
      if (!ArrayPrototypeIncludes(bootstrap.nodeNames(), name)) {
        throw ObjectAssign(new Error(`Cannot find module '${name}'`), { code: "MODULE_NOT_FOUND" });
      }
      exports = load(specifier);
    }
    return exports;
  };
  const require = (specifier) => {
    const name = String(specifier);
    return bootstrap.node(StringPrototypeStartsWith(name, "node:") ? StringPrototypeSlice(name, 5) : name);
  };
  bootstrap.require = require;

  // Request refers to the class of Deno's own HTTP client, which does not exist here.
  class HttpClient {}
  loaded.set("ext:deno_fetch/22_http_client.js", { HttpClient, HttpClientPrototype: HttpClient.prototype });

  // Nor does its tracing.
  internals.__telemetry = { TRACING_ENABLED: false, exitSpan() {} };
  internals.__telemetryUtil = {};

  // A body read to its end is collected in buffers that the isolate's memory account knows; the
  // operation that is meant for this would collect it outside.
  const READ_STEP = 65_536;
  ownCore.readAll = ownCore.ops.op_read_all = async (rid) => {
    const pieces = [];
    let length = 0;
    for (;;) {
      const piece = new Uint8Array(READ_STEP);
      const count = await core.read(rid, piece);
      if (count === 0) break;
      ArrayPrototypePush(pieces, TypedArrayPrototypeSubarray(piece, 0, count));
      length += count;
    }
    const whole = new Uint8Array(length);
    for (let i = 0, at = 0; i < pieces.length; i++) {
      TypedArrayPrototypeSet(whole, pieces[i], at);
      at += TypedArrayPrototypeGetByteLength(pieces[i]);
    }
    return whole;
  };

  const WEB = "ext:deno_web/", FETCH = "ext:deno_fetch/";
  const event = load(`${WEB}02_event.js`);
  const performanceScript = load(`${WEB}15_performance.js`);
  const timers = load(`${WEB}02_timers.js`);
  const domException = load(`${WEB}01_dom_exception.js`);
  const scope = load("ext:isle/scope.js");

  // The platform's operations name the class of what they throw; these are made here.
  for (
    const name of [
      "DataError", "IndexSizeError", "InvalidAccessError", "InvalidCharacterError", "InvalidStateError",
      "NotSupportedError", "OperationError", "SyntaxError", "TypeMismatchError",
    ]
  ) {
    core.registerErrorBuilder(`DOMException${name}`, (message) => new domException.DOMException(message, name));
  }
  core.registerErrorBuilder("DOMExceptionQuotaExceededError", (message) => new scope.QuotaExceededError(message));
  core.registerErrorClass("Busy", class Busy extends Error {});

  // --- console and crypto ---------------------------------------------------------------------
  // Their objects live outside the JavaScript heap and so in no snapshot: they are made at the
  // first use in an isolate, behind objects that are.

  // While a function's own snapshot is being made, these objects must not come into being, and
  // whatever makes the function's state unfit for sharing between isolates is noted.
  let building = false;
  const touched = [];
  const touch = (what) => {
    if (building && !ArrayPrototypeIncludes(touched, what)) ArrayPrototypePush(touched, what);
  };

  let realConsole;
  // The node keeps no more of a line. A giant is cut before it is formatted, copied and encoded:
  // that is the function's CPU time.
  const LINE_MAX = 16_384;
  const cut = (text) =>
    text.length > LINE_MAX
      ? `${StringPrototypeSlice(text, 0, LINE_MAX - 64)}... ${text.length - LINE_MAX + 64} more characters`
      : text;
  let colourless = false;
  const consoleScript = () => {
    const script = load(`${WEB}01_console.js`);
    if (!colourless) script.setNoColorFns(() => true, () => true);
    colourless = true;
    return script;
  };
  const getConsole = () => {
    if (realConsole === undefined) {
      const { Console } = consoleScript();
      realConsole = new Console((text, level) => op_isle_console(cut(text), level));
    }
    return realConsole;
  };
  const consoleFacade = scope.namespace("console", {});
  for (
    const name of [
      "log", "debug", "info", "dir", "dirxml", "warn", "error", "assert", "count", "countReset", "table", "time",
      "timeLog", "timeEnd", "group", "groupCollapsed", "groupEnd", "clear", "trace",
    ]
  ) {
    consoleFacade[name] = { [name]: (...args) => {
      if (building) return;
      const target = getConsole();
      for (let i = 0; i < args.length; i++) if (typeof args[i] === "string") args[i] = cut(args[i]);
      return ReflectApply(target[name], target, args);
    } }[name];
  }

  // It wraps the prototypes of the platform's classes: whoever looks at those comes this way, too.
  let cryptoParts;
  const cryptoFacade = () => {
    if (cryptoParts === undefined) {
      cryptoParts = load("ext:isle/crypto.js");
      cryptoParts.watchBuild(() => building, touch);
    }
    return cryptoParts.crypto;
  };

  // --- what nobody caught ----------------------------------------------------------------------
  // It is the author's to see, not a reason to fail the other requests of the isolate.

  const describe = (error) => {
    try {
      return consoleScript().inspect(error);
    } catch {
      return "(an error that cannot be printed)";
    }
  };
  core.setReportExceptionCallback(event.reportException);

  // --- globals -----------------------------------------------------------------------------------

  const hidden = core.propNonEnumerable, writable = core.propWritable;

  // Most of the platform is made when a function first looks at it: every object in the snapshot
  // is an object in every isolate. Rust makes each of these a property that V8 calls lazy; to
  // programs it is an ordinary one with a value. A name that is its own script's export needs no
  // more than the script.
  const CRYPTO = "ext:deno_crypto/00_crypto.js";
  const STREAMS = `${WEB}06_streams.js`, ENCODING = `${WEB}08_text_encoding.js`, COMPRESSION = `${WEB}14_compression.js`;
  const lazy = { __proto__: null };
  const lazyFrom = (specifier, names) => {
    for (let i = 0; i < names.length; i++) lazy[names[i]] = specifier;
  };
  lazyFrom(`${WEB}00_url.js`, ["URL", "URLSearchParams"]);
  lazyFrom(`${WEB}01_urlpattern.js`, ["URLPattern"]);
  lazyFrom(`${WEB}03_abort_signal.js`, ["AbortController", "AbortSignal"]);
  lazyFrom(`${WEB}05_base64.js`, ["atob", "btoa"]);
  lazyFrom(STREAMS, [
    "ByteLengthQueuingStrategy", "CountQueuingStrategy", "ReadableByteStreamController", "ReadableStream",
    "ReadableStreamBYOBReader", "ReadableStreamBYOBRequest", "ReadableStreamDefaultController",
    "ReadableStreamDefaultReader", "TransformStream", "TransformStreamDefaultController", "WritableStream",
    "WritableStreamDefaultController", "WritableStreamDefaultWriter",
  ]);
  lazyFrom(ENCODING, ["TextDecoder", "TextDecoderStream", "TextEncoder", "TextEncoderStream"]);
  lazyFrom(`${WEB}09_file.js`, ["Blob", "File"]);
  lazyFrom(`${WEB}10_filereader.js`, ["FileReader"]);
  lazyFrom(`${WEB}13_message_port.js`, ["MessageChannel", "MessagePort", "structuredClone"]);
  lazyFrom(COMPRESSION, ["CompressionStream", "DecompressionStream"]);
  lazyFrom(`${FETCH}20_headers.js`, ["Headers"]);
  lazyFrom(`${FETCH}21_formdata.js`, ["FormData"]);
  lazyFrom(`${FETCH}23_request.js`, ["Request"]);
  lazyFrom(`${FETCH}23_response.js`, ["Response"]);
  lazyFrom(CRYPTO, ["Crypto", "CryptoKey", "SubtleCrypto"]);
  lazyFrom("ext:isle/lambda_stream.js", ["awslambda"]);
  lazyFrom("ext:isle_node/buffer.js", ["Buffer"]);
  lazyFrom("ext:isle_node/timers.js", ["setImmediate", "clearImmediate"]);
  lazyFrom("ext:isle_node/process.js", ["process"]);
  // What a snapshot's making may die of: noted when it is first looked at.
  const WATCHED = { __proto__: null, CompressionStream: true, DecompressionStream: true, TextDecoderStream: true };
  const make = (name) => {
    if (WATCHED[name]) touch(name);
    const specifier = lazy[name];
    if (specifier === CRYPTO) cryptoFacade();
    const exports = load(specifier);
    return name === "process" ? exports : exports[name];
  };

  // Requests leave through the gateway. While a snapshot is made there is nobody to ask, and an
  // answer would be state that all isolates share.
  const fetch = function fetch(_input, _init = undefined) {
    if (building) {
      touch("fetch");
      return PromiseReject(new TypeError("fetch failed: not while a snapshot is made"));
    }
    return ReflectApply(load(`${FETCH}26_fetch.js`).fetch, undefined, arguments);
  };

  ObjectDefineProperties(globalThis, {
    global: hidden(globalThis),
    CloseEvent: hidden(event.CloseEvent),
    CustomEvent: hidden(event.CustomEvent),
    DOMException: hidden(domException.DOMException),
    ErrorEvent: hidden(event.ErrorEvent),
    Event: hidden(event.Event),
    EventTarget: hidden(event.EventTarget),
    MessageEvent: hidden(event.MessageEvent),
    Performance: hidden(performanceScript.Performance),
    PerformanceEntry: hidden(performanceScript.PerformanceEntry),
    PerformanceMark: hidden(performanceScript.PerformanceMark),
    PerformanceMeasure: hidden(performanceScript.PerformanceMeasure),
    PerformanceObserver: hidden(performanceScript.PerformanceObserver),
    PerformanceObserverEntryList: hidden(performanceScript.PerformanceObserverEntryList),
    ProgressEvent: hidden(event.ProgressEvent),
    PromiseRejectionEvent: hidden(event.PromiseRejectionEvent),
    clearInterval: writable(timers.clearInterval),
    clearTimeout: writable(timers.clearTimeout),
    console: hidden(consoleFacade),
    fetch: writable(fetch),
    reportError: writable(event.reportError),
    setInterval: writable(timers.setInterval),
    setTimeout: writable(timers.setTimeout),
  });
  scope.install(globalThis, {
    get crypto() {
      return cryptoFacade();
    },
    performance: performanceScript.performance,
  });

  // `WebAssembly.compileStreaming`: V8 hands over what it was given and a resource to feed.
  const compileStreaming = (source, rid) => {
    load("ext:isle/wasm_streaming.js").compileStreaming(source, rid);
  };
  // Now, so that they are compiled: the first is called in every restore.
  core.setWasmStreamingCallback(compileStreaming);
  core.isArrayBuffer(undefined);

  // --- the handler's second argument (R70 ff) ------------------------------------------------------

  // Callback style (R70 to R72): of callback, `done`, `succeed`, `fail` and the handler's own
  // result, the first one counts. The response goes out at once: an isolate serves many requests
  // at one time, so there is no event loop of one request's that could be waited for.
  const waiting = new SafeSet();
  class Call {
    settled = false;
    failed = false;
    value = undefined;
    fallback = undefined;
    resolve = undefined;
    reject = undefined;
    // Whether the handler has looked at one of the context's methods.
    legacy = false;

    end(failed, value) {
      if (this.settled) return;
      this.settled = true;
      this.failed = failed;
      this.value = value;
      if (this.resolve !== undefined) {
        waiting.delete(this);
        (failed ? this.reject : this.resolve)(value);
      }
    }
    done(error, result) {
      if (error === undefined || error === null) this.end(false, result);
      else this.end(true, error);
    }
    promise() {
      return new Promise((resolve, reject) => {
        this.resolve = resolve;
        this.reject = reject;
      });
    }
  }

  // Whether the handler declares a callback, and whether it may have taken one undeclared: by
  // `arguments` or a rest parameter, which count for nothing.
  let handler, takesCallback, hidesArguments;
  const callHandler = (theEvent, context, call) => {
    let result;
    try {
      result = handler(theEvent, context, (error, result) => call.done(error, result));
    } catch (error) {
      if (!call.settled) throw error;
    }
    if (call.settled) {
      if (call.failed) throw call.value;
      return call.value;
    }
    // Most handlers end here. A callback that was neither declared nor used is not waited for.
    if (!takesCallback && !call.legacy && !(hidesArguments && result === undefined)) return result;
    if (result !== null && typeof result === "object" && typeof result.then === "function") {
      const first = call.promise();
      result.then((value) => call.end(false, value), (error) => call.end(true, error));
      return first;
    }
    // R71: who never calls back has returned this.
    call.fallback = result;
    waiting.add(call);
    return call.promise();
  };

  let fixed;
  class Context {
    #call;
    get done() {
      const call = this.#call;
      call.legacy = true;
      return (error, result) => call.done(error, result);
    }
    get succeed() {
      const call = this.#call;
      call.legacy = true;
      return (result) => call.end(false, result);
    }
    get fail() {
      const call = this.#call;
      call.legacy = true;
      return (error) => call.end(true, error === undefined || error === null ? "handled" : error);
    }
    constructor(requestId, deadline, call) {
      this.#call = call;
      // An own function without `this`: people take it out of the object and copy the object.
      this.getRemainingTimeInMillis = () => {
        const left = deadline - DateNow();
        return left > 0 ? left : 0;
      };
      this.callbackWaitsForEmptyEventLoop = true;
      this.functionName = fixed.functionName;
      this.functionVersion = fixed.functionVersion;
      this.invokedFunctionArn = fixed.invokedFunctionArn;
      this.memoryLimitInMB = fixed.memoryLimitInMB;
      this.logGroupName = fixed.logGroupName;
      this.logStreamName = fixed.logStreamName;
      this.awsRequestId = requestId;
      this.identity = undefined;
      this.clientContext = undefined;
      this.tenantId = undefined;
      this.env = fixed.env;
    }
  }

  // What Lambda's runtime says of the function in `process.env`.
  const runtimeVariables = () => {
    const { functionName, functionVersion, memoryLimitInMB, logGroupName, logStreamName } = fixed;
    return {
      AWS_LAMBDA_FUNCTION_NAME: functionName,
      AWS_LAMBDA_FUNCTION_VERSION: functionVersion,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: memoryLimitInMB,
      AWS_LAMBDA_LOG_GROUP_NAME: logGroupName,
      AWS_LAMBDA_LOG_STREAM_NAME: logStreamName,
      AWS_REGION: fixed.region,
      AWS_DEFAULT_REGION: fixed.region,
      _HANDLER: fixed.handler,
      NODE_ENV: fixed.environment,
    };
  };
  // For `process.env`: that, and over it the function's variables; a copy that it may change.
  bootstrap.env = () =>
    fixed === undefined || fixed === null ? {} : ObjectAssign(runtimeVariables(), fixed.env);
  // What stands for it while a snapshot is made; afterwards it shows what `current` gives.
  bootstrap.envOfBuild = (current) => {
    if (!building) return undefined;
    // A node that has builders has no functions under development (`NODE_ENV`).
    const { AWS_REGION, AWS_DEFAULT_REGION, NODE_ENV, ...others } = runtimeVariables();
    return envView("process.env", others, { AWS_REGION, AWS_DEFAULT_REGION, NODE_ENV }, current);
  };
  const envView = (prefix, others, shown, current) => {
    const names = ObjectAssign({ __proto__: null }, others);
    for (let i = 0; i < fixed.names.length; i++) names[fixed.names[i]] = true;
    return load("ext:isle/env.js").view(names, shown, prefix, current);
  };

  // For the scripts that make a function's own snapshot (`build.js` and what it loads).
  const inner = bootstrap.inner = {
    __proto__: null,
    lazy,
    touch,
    crypto: cryptoFacade,
    isBuilding: () => building,
    setBuilding(now) {
      building = now;
    },
    takeTouched() {
      const all = JSONStringify(touched);
      touched.length = 0;
      return all;
    },
    // What has to be done after each restore, if anything.
    refix: undefined,
    // Calls the handler with nobody waiting for the answer.
    call(theEvent) {
      const env = envView("context.env", {}, {}, () => fixed.env);
      if (kind === "fetch") {
        const fetching = load("ext:isle/fetch.js").hooks;
        fetching.setEnv(env);
        const method = theEvent.requestContext?.http?.method ?? "GET";
        const url = `http://localhost${theEvent.rawPath ?? "/"}`;
        return fetching.enter(0, method, url, false, "host\nlocalhost\n", null, undefined);
      }
      if (kind !== "handler") return undefined;
      const call = new Call();
      const context = new Context("warm-up", DateNow() + 30_000, call);
      context.env = env;
      return callHandler(theEvent, context, call);
    },
    forget(specifier) {
      loaded.delete(specifier);
    },
  };

  // What every isolate has.
  const LEAN = [];
  loaded.forEach((_exports, specifier) => ArrayPrototypePush(LEAN, specifier));

  // Bundlers that compile for Lambda set it by themselves, without the helper.
  const STREAMING = SymbolFor("aws.lambda.runtime.handler.streaming");

  // "handler", or what needs the scripts of an exchange: "fetch", "streamed".
  let kind = "handler";
  const ENUMERABLE = ["atob", "btoa", "structuredClone"];
  const hooks = {
    __proto__: null,
    // For Rust, when the base snapshot is made: the names of what is made when it is first looked
    // at, those that are enumerable, and what makes it.
    lazy: { hidden: ReflectOwnKeys(lazy).filter((name) => !ArrayPrototypeIncludes(ENUMERABLE, name)), enumerable: ENUMERABLE, make },
    // Whether the function has made anything of the web platform's, in this isolate or its snapshot.
    usesWeb() {
      let uses = false;
      loaded.forEach((_exports, specifier) => {
        uses ||= StringPrototypeStartsWith(specifier, "ext:deno_") && !ArrayPrototypeIncludes(LEAN, specifier);
      });
      return uses;
    },
    // Once per isolate, before any code of a tenant: what a snapshot cannot carry or V8 puts back.
    // V8 compiles functions in parentheses with what is around them, and so into the snapshot.
    restored: (function (WebAssembly, SharedArrayBuffer, Atomics) {
      performanceScript.setTimeOrigin();
      if (frozen !== undefined) frozen.restored(globalThis.Temporal, globalThis.Intl);
      core.setWasmStreamingCallback(compileStreaming);
      delete globalThis.SharedArrayBuffer;
      if (SharedArrayBuffer !== undefined) delete SharedArrayBuffer.prototype.constructor;
      if (Atomics !== undefined) {
        delete Atomics.wait;
        delete Atomics.waitAsync;
      }
      if (WebAssembly !== undefined) {
        const { Memory } = WebAssembly;
        const refuse = () => {
          throw new TypeError("shared WebAssembly memory is not available");
        };
        const Unshared = function Memory_(descriptor) {
          if (new.target === undefined) throw new TypeError("WebAssembly.Memory must be invoked with 'new'");
          if (descriptor === null || typeof descriptor !== "object") {
            return ReflectConstruct(Memory, [descriptor], new.target);
          }
          // Sees what V8 sees, so that a member cannot say one thing here and another there.
          const watched = new Proxy({ __proto__: null }, {
            __proto__: null,
            get(_target, key) {
              const value = descriptor[key];
              return key === "shared" && value ? refuse() : value;
            },
            has: (_target, key) => key in descriptor,
          });
          return ReflectConstruct(Memory, [watched], new.target);
        };
        // A module can declare shared memory of its own and export it.
        const unshared = ((get, name) => ({ [name]() {
          const buffer = ReflectApply(get, this, []);
          return core.isSharedArrayBuffer(buffer) ? refuse() : buffer;
        } })[name]);
        const buffer = ReflectGetOwnPropertyDescriptor(Memory.prototype, "buffer");
        const get = unshared(buffer.get, "get buffer");
        ObjectDefineProperty(Memory.prototype, "buffer", { __proto__: null, ...buffer, get });
        for (const name of ["toFixedLengthBuffer", "toResizableBuffer"]) {
          if (typeof Memory.prototype[name] === "function") {
            Memory.prototype[name] = unshared(Memory.prototype[name], name);
          }
        }
        ObjectDefineProperty(Unshared, "name", { __proto__: null, value: "Memory", configurable: true });
        ObjectDefineProperty(Unshared, "prototype", { __proto__: null, value: Memory.prototype, writable: false });
        ObjectDefineProperty(Memory.prototype, "constructor", {
          __proto__: null, value: Unshared, writable: true, configurable: true,
        });
        WebAssembly.Memory = Unshared;
      }
    }),
    // For each rejection that nobody has handled by the end of a turn.
    unhandled(reason, promise) {
      if (scope.rejection(globalThis, "unhandledrejection", promise, reason)) return;
      op_isle_console(`Uncaught (in promise) ${describe(reason)}`, 3);
    },
    // For each of those that somebody handled later.
    handledLate(reason, promise) {
      scope.rejection(globalThis, "rejectionhandled", promise, reason);
    },
    // One of Node's modules, or the function that requires them.
    node(specifier) {
      return specifier === "isle:require" ? { require } : bootstrap.node(StringPrototypeSlice(specifier, 5));
    },
    // Once per function version, before its modules are evaluated.
    fix(theFixed) {
      fixed = JSONParse(theFixed);
    },
    // Once per function version.
    adopt(theHandler) {
      handler = theHandler;
      takesCallback = theHandler?.length >= 3;
      hidesArguments = theHandler?.length === 0;
      if (handler?.[STREAMING] === "response") {
        kind = "streamed";
        const { enter } = load("ext:isle/lambda_stream.js");
        ObjectAssign(hooks, load("ext:isle/exchange.js").hooks);
        hooks.enterExchange = (eventText, body, requestId, deadline, clientContext, id) => {
          const theEvent = JSONParse(eventText);
          if (body !== undefined) theEvent.body = body;
          const context = new Context(requestId, deadline, new Call());
          if (clientContext !== undefined) context.clientContext = JSONParse(clientContext);
          return enter(id, handler, theEvent, context);
        };
      }
      return kind;
    },
    // The same for a module that exports a fetch handler; throws when it does not.
    adoptFetch(namespace) {
      const fetching = load("ext:isle/fetch.js").hooks;
      fetching.adopt(namespace);
      fetching.setEnv(fixed.env);
      kind = "fetch";
      ObjectAssign(hooks, load("ext:isle/exchange.js").hooks);
      hooks.enterExchange = fetching.enter;
      hooks.respond = fetching.respond;
      hooks.out = fetching.out;
      return kind;
    },
    kind: (() => kind),
    // Adds the hooks of `build.js`.
    prepareBuild() {
      ObjectAssign(hooks, load("ext:isle/build.js").hooks(hooks));
    },
    // Runs what the scripts of an exchange do for most requests, so that code caches have it.
    exerciseExchange() {
      const fetching = load("ext:isle/fetch.js").hooks;
      load("ext:isle/lambda_stream.js");
      const { Response } = load(`${FETCH}23_response.js`);
      const answers = [
        () => new Response("text"),
        () => Response.json({ a: 1 }, { headers: { a: "b" } }),
        (request) => new Response(request.body, { status: 201 }),
        (request) => new Response(request.headers.get("host") + request.url + request.method + request.signal.aborted),
      ];
      for (let i = 0; i < answers.length; i++) {
        fetching.adopt({ __proto__: null, default: answers[i] });
        fetching.setEnv({});
        const response = fetching.enter(1, "POST", "http://a/b", true, "host\na\n", "body", undefined);
        fetching.respond(response, 1, 0);
      }
      fetching.adopt({ __proto__: null, GET: answers[0] });
      load("ext:isle/exchange.js").open.clear();
    },
    // Once per restore of a function's own snapshot: what may not be in it.
    refix: (function (theFixed) {
      fixed = JSONParse(theFixed);
      if (inner.refix !== undefined) inner.refix();
      if (kind === "fetch") load("ext:isle/fetch.js").hooks.setEnv(fixed.env);
    }),

    // Once per invocation.
    enter(eventText, body, requestId, deadline, clientContext) {
      const theEvent = JSONParse(eventText);
      if (body !== undefined) theEvent.body = body;
      const call = new Call();
      const context = new Context(requestId, deadline, call);
      if (clientContext !== undefined) context.clientContext = JSONParse(clientContext);
      return callHandler(theEvent, context, call);
    },
    // Nothing is left that could call back (R71).
    release() {
      if (waiting.size === 0) return false;
      waiting.forEach((call) => call.end(false, call.fallback));
      waiting.clear();
      return true;
    },
  };
  ObjectDefineProperty(globalThis, "__isle", { __proto__: null, value: hooks, configurable: true });
})(globalThis);
