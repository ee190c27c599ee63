// Puts the globals of a function's world together. Runs once, when the base snapshot is made;
// what it leaves behind is restored with every isolate.
//
// Whatever a function may never touch stays in this closure. `hooks` is taken by Rust directly
// after a restore and removed from the global object before any code of a tenant runs.
((globalThis) => {
  "use strict";
  const { core, primordials, internals } = globalThis.__bootstrap;
  const { op_isle_compile, op_isle_console } = core.ops;
  const {
    DateNow,
    JSONParse,
    ObjectAssign,
    ObjectDefineProperties,
    ObjectDefineProperty,
    ObjectSetPrototypeOf,
    ReflectApply,
    ReflectConstruct,
    ReflectGetOwnPropertyDescriptor,
    SafeMap,
    TypeError,
  } = primordials;

  // --- loading the platform's scripts ---------------------------------------------------------

  const loaded = new SafeMap();
  const ownCore = ObjectAssign({ __proto__: null }, core);
  ownCore.ops = ObjectAssign({ __proto__: null }, core.ops);
  const bootstrap = { __proto__: null, primordials, core: ownCore, internals };
  const load = (specifier) => {
    let exports = loaded.get(specifier);
    if (exports === undefined) {
      const script = op_isle_compile(specifier);
      if (script === undefined) throw new TypeError(`no script ${specifier}`);
      exports = script(bootstrap);
      loaded.set(specifier, exports);
    }
    return exports;
  };
  ownCore.loadExtScript = load;
  ownCore.createLazyLoader = (specifier) => () => load(specifier);

  // Request refers to the class of Deno's own HTTP client, which does not exist here.
  class HttpClient {}
  loaded.set("ext:deno_fetch/22_http_client.js", { HttpClient, HttpClientPrototype: HttpClient.prototype });

  const WEB = "ext:deno_web/", FETCH = "ext:deno_fetch/";
  load(`${WEB}00_infra.js`);
  const event = load(`${WEB}02_event.js`);
  const consoleScript = load(`${WEB}01_console.js`);
  const url = load(`${WEB}00_url.js`);
  const file = load(`${WEB}09_file.js`);
  const ports = load(`${WEB}13_message_port.js`);
  const abort = load(`${WEB}03_abort_signal.js`);
  const performanceScript = load(`${WEB}15_performance.js`);
  const timers = load(`${WEB}02_timers.js`);
  const domException = load(`${WEB}01_dom_exception.js`);
  const cryptoScript = load("ext:deno_crypto/00_crypto.js");

  // --- console and crypto ---------------------------------------------------------------------
  // Their objects live outside the JavaScript heap and so in no snapshot: they are made at the
  // first use in an isolate, behind objects that are.

  consoleScript.setNoColorFns(() => true, () => true);
  let realConsole;
  const getConsole = () => realConsole ??= new consoleScript.Console((text, level) => op_isle_console(text, level));
  const consoleFacade = {};
  for (
    const name of [
      "log", "debug", "info", "dir", "dirxml", "warn", "error", "assert", "count", "countReset", "table", "time",
      "timeLog", "timeEnd", "group", "groupCollapsed", "groupEnd", "clear", "trace",
    ]
  ) {
    consoleFacade[name] = { [name]: (...args) => {
      // A message that cannot be printed (a throwing getter, say) is not the function's failure.
      const target = getConsole();
      return ReflectApply(target[name], target, args);
    } }[name];
  }

  // Work that runs outside the isolate's thread is outside its CPU clock, so its size has a limit.
  const ITERATIONS_MAX = 1_000_000, MODULUS_BITS_MAX = 4_096;
  const bounded = (algorithm) => {
    if (algorithm === null || typeof algorithm !== "object") return algorithm;
    const copy = { ...algorithm };
    if (copy.iterations > ITERATIONS_MAX) {
      throw new domException.DOMException(`iterations may be ${ITERATIONS_MAX} at most`, "NotSupportedError");
    }
    if (copy.modulusLength > MODULUS_BITS_MAX) {
      throw new domException.DOMException(`modulusLength may be ${MODULUS_BITS_MAX} at most`, "NotSupportedError");
    }
    return copy;
  };
  const BOUNDED = { __proto__: null, deriveBits: true, deriveKey: true, generateKey: true };

  const subtleFacade = { __proto__: cryptoScript.SubtleCrypto.prototype };
  for (
    const name of [
      "digest", "encrypt", "decrypt", "sign", "verify", "deriveBits", "deriveKey", "importKey", "exportKey", "wrapKey",
      "unwrapKey", "generateKey",
    ]
  ) {
    ObjectDefineProperty(subtleFacade, name, {
      __proto__: null,
      configurable: true,
      writable: true,
      value: { async [name](...args) {
        const target = cryptoScript.crypto.subtle;
        if (name in BOUNDED && args.length > 0) args[0] = bounded(args[0]);
        return await ReflectApply(target[name], target, args);
      } }[name],
    });
  }
  const cryptoFacade = ObjectDefineProperties({ __proto__: cryptoScript.Crypto.prototype }, {
    subtle: { __proto__: null, configurable: true, enumerable: true, get: () => subtleFacade },
    getRandomValues: {
      __proto__: null, configurable: true, writable: true,
      value: { getRandomValues: (array) => cryptoScript.crypto.getRandomValues(array) }.getRandomValues,
    },
    randomUUID: {
      __proto__: null, configurable: true, writable: true,
      value: { randomUUID: () => cryptoScript.crypto.randomUUID() }.randomUUID,
    },
  });

  // --- what nobody caught ----------------------------------------------------------------------
  // It is the author's to see, not a reason to fail the other requests of the isolate.

  const describe = (error) => {
    try {
      return consoleScript.inspect(error);
    } catch {
      return "(an error that cannot be printed)";
    }
  };
  core.setUnhandledPromiseRejectionHandler((_promise, reason) => {
    op_isle_console(`Uncaught (in promise) ${describe(reason)}`, 3);
    return true;
  });
  core.setReportExceptionCallback((error) => {
    op_isle_console(`Uncaught ${describe(error)}`, 3);
  });

  // --- globals -----------------------------------------------------------------------------------

  const hidden = core.propNonEnumerable, writable = core.propWritable;
  const lazyHidden = (name, specifier) =>
    core.propNonEnumerableLazyLoaded((exports) => exports[name], () => load(specifier));
  const lazyWritable = (name, specifier) =>
    core.propWritableLazyLoaded((exports) => exports[name], () => load(specifier));
  const STREAMS = `${WEB}06_streams.js`, ENCODING = `${WEB}08_text_encoding.js`, COMPRESSION = `${WEB}14_compression.js`;

  // Outbound requests are refused until they can be made through the gateway.
  const fetch = async function fetch(_input, _init = undefined) {
    throw new TypeError("fetch failed: outbound requests are not available to functions on this node");
  };

  ObjectDefineProperties(globalThis, {
    AbortController: hidden(abort.AbortController),
    AbortSignal: hidden(abort.AbortSignal),
    Blob: hidden(file.Blob),
    ByteLengthQueuingStrategy: lazyHidden("ByteLengthQueuingStrategy", STREAMS),
    CloseEvent: hidden(event.CloseEvent),
    CompressionStream: lazyHidden("CompressionStream", COMPRESSION),
    CountQueuingStrategy: lazyHidden("CountQueuingStrategy", STREAMS),
    Crypto: hidden(cryptoScript.Crypto),
    CryptoKey: hidden(cryptoScript.CryptoKey),
    CustomEvent: hidden(event.CustomEvent),
    DecompressionStream: lazyHidden("DecompressionStream", COMPRESSION),
    DOMException: hidden(domException.DOMException),
    ErrorEvent: hidden(event.ErrorEvent),
    Event: hidden(event.Event),
    EventTarget: hidden(event.EventTarget),
    File: hidden(file.File),
    FileReader: lazyHidden("FileReader", `${WEB}10_filereader.js`),
    FormData: lazyHidden("FormData", `${FETCH}21_formdata.js`),
    Headers: lazyHidden("Headers", `${FETCH}20_headers.js`),
    MessageChannel: hidden(ports.MessageChannel),
    MessageEvent: hidden(event.MessageEvent),
    MessagePort: hidden(ports.MessagePort),
    Performance: hidden(performanceScript.Performance),
    PerformanceEntry: hidden(performanceScript.PerformanceEntry),
    PerformanceMark: hidden(performanceScript.PerformanceMark),
    PerformanceMeasure: hidden(performanceScript.PerformanceMeasure),
    ProgressEvent: hidden(event.ProgressEvent),
    PromiseRejectionEvent: hidden(event.PromiseRejectionEvent),
    ReadableByteStreamController: lazyHidden("ReadableByteStreamController", STREAMS),
    ReadableStream: lazyHidden("ReadableStream", STREAMS),
    ReadableStreamBYOBReader: lazyHidden("ReadableStreamBYOBReader", STREAMS),
    ReadableStreamBYOBRequest: lazyHidden("ReadableStreamBYOBRequest", STREAMS),
    ReadableStreamDefaultController: lazyHidden("ReadableStreamDefaultController", STREAMS),
    ReadableStreamDefaultReader: lazyHidden("ReadableStreamDefaultReader", STREAMS),
    Request: lazyHidden("Request", `${FETCH}23_request.js`),
    Response: lazyHidden("Response", `${FETCH}23_response.js`),
    SubtleCrypto: hidden(cryptoScript.SubtleCrypto),
    TextDecoder: lazyHidden("TextDecoder", ENCODING),
    TextDecoderStream: lazyHidden("TextDecoderStream", ENCODING),
    TextEncoder: lazyHidden("TextEncoder", ENCODING),
    TextEncoderStream: lazyHidden("TextEncoderStream", ENCODING),
    TransformStream: lazyHidden("TransformStream", STREAMS),
    TransformStreamDefaultController: lazyHidden("TransformStreamDefaultController", STREAMS),
    URL: hidden(url.URL),
    URLPattern: lazyHidden("URLPattern", `${WEB}01_urlpattern.js`),
    URLSearchParams: hidden(url.URLSearchParams),
    WritableStream: lazyHidden("WritableStream", STREAMS),
    WritableStreamDefaultController: lazyHidden("WritableStreamDefaultController", STREAMS),
    WritableStreamDefaultWriter: lazyHidden("WritableStreamDefaultWriter", STREAMS),
    atob: lazyWritable("atob", `${WEB}05_base64.js`),
    btoa: lazyWritable("btoa", `${WEB}05_base64.js`),
    clearInterval: writable(timers.clearInterval),
    clearTimeout: writable(timers.clearTimeout),
    console: hidden(consoleFacade),
    crypto: core.propGetterOnly(() => cryptoFacade),
    fetch: writable(fetch),
    performance: writable(performanceScript.performance),
    reportError: writable(event.reportError),
    self: writable(globalThis),
    setInterval: writable(timers.setInterval),
    setTimeout: writable(timers.setTimeout),
    structuredClone: writable(ports.structuredClone),
  });
  event.saveGlobalThisReference(globalThis);
  event.setEventTargetData(globalThis);

  const MEMORY_MEMBERS = ["initial", "minimum", "maximum", "shared", "address", "index"];

  // --- the handler's second argument (R70 ff) ------------------------------------------------------

  let fixed;
  class Context {
    constructor(requestId, deadline) {
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

  let handler;
  const hooks = {
    __proto__: null,
    // Once per isolate, before any code of a tenant: what a snapshot cannot carry or V8 puts back.
    restored(WebAssembly, SharedArrayBuffer, Atomics) {
      performanceScript.setTimeOrigin();
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
          // Each member is read once, so that it cannot say one thing here and another to V8.
          const copy = { __proto__: null };
          for (let i = 0; i < MEMORY_MEMBERS.length; i++) {
            const value = descriptor[MEMORY_MEMBERS[i]];
            if (value !== undefined) copy[MEMORY_MEMBERS[i]] = value;
          }
          if (copy.shared) refuse();
          return ReflectConstruct(Memory, [copy], new.target);
        };
        // A module can declare shared memory of its own and export it.
        const unshared = (get) => function () {
          const buffer = ReflectApply(get, this, []);
          return core.isSharedArrayBuffer(buffer) ? refuse() : buffer;
        };
        const buffer = ReflectGetOwnPropertyDescriptor(Memory.prototype, "buffer");
        ObjectDefineProperty(Memory.prototype, "buffer", { __proto__: null, ...buffer, get: unshared(buffer.get) });
        for (const name of ["toFixedLengthBuffer", "toResizableBuffer"]) {
          if (typeof Memory.prototype[name] === "function") {
            Memory.prototype[name] = unshared(Memory.prototype[name]);
          }
        }
        ObjectDefineProperty(Unshared, "name", { __proto__: null, value: "Memory", configurable: true });
        ObjectDefineProperty(Unshared, "prototype", { __proto__: null, value: Memory.prototype, writable: false });
        ObjectDefineProperty(Memory.prototype, "constructor", {
          __proto__: null, value: Unshared, writable: true, configurable: true,
        });
        WebAssembly.Memory = Unshared;
      }
    },
    // Once per function version.
    adopt(theHandler, theFixed) {
      handler = theHandler;
      fixed = JSONParse(theFixed);
    },
    // Once per invocation.
    enter(eventText, body, requestId, deadline) {
      const theEvent = JSONParse(eventText);
      if (body !== undefined) theEvent.body = body;
      return handler(theEvent, new Context(requestId, deadline));
    },
  };
  ObjectDefineProperty(globalThis, "__isle", { __proto__: null, value: hooks, configurable: true });
  ObjectSetPrototypeOf(globalThis, event.EventTarget.prototype);
})(globalThis);
