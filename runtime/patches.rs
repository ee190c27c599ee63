//! Places where the platform's scripts differ from the standards, and what stands there instead.
//!
//! A patch must fit exactly as often as it says: an update of the crates that changes the place
//! fails the build, and somebody looks whether the patch is still needed.

/// One replacement.
pub struct Patch {
    /// `crate/script`.
    pub script: &'static str,
    /// What stands there.
    pub find: &'static str,
    /// How often.
    pub times: usize,
    /// What shall.
    pub put: &'static str,
}

const fn patch(script: &'static str, find: &'static str, put: &'static str) -> Patch {
    Patch { script, find, times: 1, put }
}

/// All of them.
pub const PATCHES: &[Patch] = &[
    // DOM: an event knows when it was made.
    patch("deno_web/02_event.js", "timeStamp: 0,", "timeStamp: core.ops.op_isle_now(),"),
    // URL Pattern: regular expressions are compiled with the flag v, and the input is optional.
    patch("deno_web/01_urlpattern.js", r#"options.ignoreCase ? "ui" : "u""#, r#"options.ignoreCase ? "vi" : "v""#),
    // The flag wants slashes in character classes escaped.
    patch(
        "deno_web/01_urlpattern.js",
        "new SafeRegExp(c.regexpString, flags)",
        "new SafeRegExp(\n          primordials.StringPrototypeReplaceAll(c.regexpString, \"[^/]+?\", \"[^\\\\/]+?\"),\n          flags,\n        )",
    ),
    Patch {
        script: "deno_web/01_urlpattern.js",
        find: "    webidl.requiredArguments(arguments.length, 1, prefix);\n    input = webidl",
        times: 2,
        put: "    if (input === undefined) input = {};\n    input = webidl",
    },
    patch("deno_web/01_urlpattern.js", "  test(input, baseURL", "  test(input = undefined, baseURL"),
    patch("deno_web/01_urlpattern.js", "  exec(input, baseURL", "  exec(input = undefined, baseURL"),
    // Fetch: a body's blob has the type of the body, as it is. The constructor of Blob puts it into
    // lower case.
    patch(
        "deno_web/09_file.js",
        "  BlobPrototype,\n  File,",
        "  BlobPrototype,\n  blobOfType(bytes, type) {\n    const blob = new Blob([bytes]);\n    blob[_type] = type;\n    return blob;\n  },\n  File,",
    ),
    patch(
        "deno_fetch/22_body.js",
        "return new Blob([bytes], {\n        type: mimeType !== null ? mimesniff.serializeMimeType(mimeType) : \"\",\n      });",
        "return core.loadExtScript(\"ext:deno_web/09_file.js\").blobOfType(\n        bytes,\n        mimeType !== null ? mimesniff.serializeMimeType(mimeType) : \"\",\n      );",
    ),
    // Fetch: who defines a `location` gives relative URLs a base.
    patch(
        "deno_web/12_location.js",
        "return location?.href;",
        "const { location } = globalThis;\n  return location === undefined || location === null ? undefined : location.href;",
    ),
    // Fetch: a request's URL has no credentials in it.
    patch(
        "deno_fetch/23_request.js",
        "const parsedURL = new URL(input, baseURL);",
        "const parsedURL = new URL(input, baseURL);\n      if (parsedURL.username !== \"\" || parsedURL.password !== \"\") {\n        throw new TypeError(`Request cannot be constructed from a URL that includes credentials: ${input}`);\n      }",
    ),
    // Fetch: the attributes of a request that only pages give a meaning, and what an initializer may not say.
    patch(
        "deno_fetch/23_request.js",
        "  get signal() {\n    webidl.assertBranded(this, RequestPrototype);",
        r#"  get destination() {
    webidl.assertBranded(this, RequestPrototype);
    return "";
  }

  get isReloadNavigation() {
    webidl.assertBranded(this, RequestPrototype);
    return false;
  }

  get isHistoryNavigation() {
    webidl.assertBranded(this, RequestPrototype);
    return false;
  }

  get duplex() {
    webidl.assertBranded(this, RequestPrototype);
    return "half";
  }

  get signal() {
    webidl.assertBranded(this, RequestPrototype);"#,
    ),
    patch(
        "deno_fetch/23_request.js",
        "    { key: \"client\", converter: webidl.converters.any },",
        r#"    { key: "client", converter: webidl.converters.any },
    { key: "duplex", converter: webidl.createEnumConverter("RequestDuplex", ["half"]) },
    { key: "window", converter: webidl.converters.any },"#,
    ),
    patch(
        "deno_fetch/23_request.js",
        "    this[_brand] = _brand;\n\n    /** @type {InnerRequest} */",
        r#"    if (init.window !== undefined && init.window !== null) throw new TypeError(`${prefix}: 'window' is not null`);
    this[_brand] = _brand;

    /** @type {InnerRequest} */"#,
    ),
    // Performance Timeline: entries come in the order of time; an observer is of one kind, keeps what it has
    // when it is told of more, and hears how many entries were dropped (none are).
    patch(
        "deno_web/15_performance.js",
        r"  return ArrayPrototypeFilter(
    performanceEntries,
    (entry) =>",
        r"  return inOrder(
    performanceEntries,
    (entry) =>",
    ),
    patch(
        "deno_web/15_performance.js",
        "function filterByNameType(",
        r"const inOrder = (entries, wanted) =>
  primordials.ArrayPrototypeSort(ArrayPrototypeFilter(entries, wanted), (a, b) => a.startTime - b.startTime);
const SUPPORTED = primordials.ObjectFreeze(['mark', 'measure']);

function filterByNameType(",
    ),
    patch("deno_web/15_performance.js", "return [\"mark\", \"measure\"];", "return SUPPORTED;"),
    patch("deno_web/15_performance.js", "  constructor(entries, key = undefined) {", "  constructor(entries = undefined, key = undefined) {"),
    patch("deno_web/15_performance.js", "    this[_entries] = entries;", "    this[_entries] = inOrder(entries, () => true);"),
    patch(
        "deno_web/15_performance.js",
        "observer[_callback](entryList, observer);",
        r"const options = observer[_news] ? { droppedEntriesCount: 0 } : {};
      observer[_news] = false;
      observer[_callback](entryList, observer, options);",
    ),
    patch(
        "deno_web/15_performance.js",
        "const _scheduled = Symbol(\"[[scheduled]]\");",
        "const _scheduled = Symbol(\"[[scheduled]]\");\nconst _single = Symbol(\"[[single]]\");\nconst _news = Symbol(\"[[news]]\");",
    ),
    patch(
        "deno_web/15_performance.js",
        "  [_scheduled] = false;\n",
        "  [_scheduled] = false;\n  [_single] = undefined;\n  [_news] = false;\n",
    ),
    patch(
        "deno_web/15_performance.js",
        "    let types;\n    if (entryTypes !== undefined) {",
        r"    const single = type !== undefined;
    if ((this[_single] ??= single) !== single) {
      throw new DOMException(`${prefix}: 'type' and 'entryTypes' were used with one observer`, 'InvalidModificationError');
    }
    this[_news] = true;
    let types;
    if (entryTypes !== undefined) {",
    ),
    patch(
        "deno_web/15_performance.js",
        "      types = [type];\n    }\n\n    this[_entryTypes] = types;\n    this[_buffer] = [];\n",
        r"      types = ArrayPrototypeFilter(this[_entryTypes], (known) => known !== type);
      ArrayPrototypePush(types, type);
    }

    this[_entryTypes] = types;
",
    ),
    // User Timing: no options are options without members.
    patch(
        "deno_web/15_performance.js",
        "  if (webidl.type(V) === \"Object\" && V !== null) {\n    return webidl.converters[\"PerformanceMeasureOptions\"]",
        "  if (webidl.type(V) === \"Object\" || V === null) {\n    return webidl.converters[\"PerformanceMeasureOptions\"]",
    ),
    // Fetch: the stream of a body that was there whole is one of bytes.
    patch(
        "deno_fetch/22_body.js",
        r"        const stream = createReadableStream(
          noop,
          (controller) => {
            controller.enqueue(chunkToU8(body));
            controller.close();
          },
          noopAsync,
          0,
        );",
        r"        const pull = (controller) => {
          const bytes = typeof body === 'string' ? core.encode(body) : TypedArrayPrototypeSlice(body);
          const isEmpty = TypedArrayPrototypeGetByteLength(bytes) === 0;
          if (!isEmpty) readableByteStreamControllerEnqueue(controller, bytes);
          readableByteStreamControllerClose(controller);
          if (isEmpty) controller.byobRequest?.respond(0);
        };
        const stream = createReadableByteStream(noop, pull, noopAsync);",
    ),
    patch(
        "deno_fetch/22_body.js",
        "  createReadableStream,\n",
        "  createReadableByteStream,\n  readableByteStreamControllerClose,\n  readableByteStreamControllerEnqueue,\n",
    ),
    // HTML: what cannot be transferred says so.
    patch(
        "deno_web/13_message_port.js",
        "      const rid = core.getTransferableResource(type).send(transferable);",
        r"      const resource = core.getTransferableResource(type);
      if (resource === undefined) throw new DOMException('Value not transferable', 'DataCloneError');
      const rid = resource.send(transferable);",
    ),
    // Web IDL: getters are called what they get; arguments that must be there are counted.
    patch(
        "deno_fetch/22_body.js",
        "  return ObjectDefineProperties(prototype, mixin);",
        r"  ObjectDefineProperties(mixin.body.get, { name: { __proto__: null, value: 'get body' } });
  ObjectDefineProperties(mixin.bodyUsed.get, { name: { __proto__: null, value: 'get bodyUsed' } });
  return ObjectDefineProperties(prototype, mixin);",
    ),
    patch(
        "deno_fetch/23_response.js",
        "    const prefix = \"Failed to execute 'Response.redirect'\";\n",
        "    const prefix = \"Failed to execute 'Response.redirect'\";\n    webidl.requiredArguments(arguments.length, 1, prefix);\n",
    ),
    patch(
        "deno_fetch/23_response.js",
        "  static json(data = undefined, init = undefined) {\n    const prefix = \"Failed to execute 'Response.json'\";\n",
        "  static json(data, init = undefined) {\n    const prefix = \"Failed to execute 'Response.json'\";\n    webidl.requiredArguments(arguments.length, 1, prefix);\n",
    ),
    // URL: the origin of a blob's URL is that of a page or none.
    patch(
        "deno_web/00_url.js",
        "return new URL(this.pathname).origin;",
        "const inner = new URL(this.pathname);\n        const { protocol } = inner;\n        return protocol === \"http:\" || protocol === \"https:\" ? inner.origin : \"null\";",
    ),
    // Web IDL: the tag is the prototype's (`scope.js` puts it there).
    patch("deno_web/02_event.js", "  [SymbolToStringTag] = \"ErrorEvent\";\n", ""),
    patch("deno_web/02_event.js", "  [SymbolToStringTag] = \"MessageEvent\";\n", ""),
    patch("deno_web/02_event.js", "  [SymbolToStringTag] = \"CustomEvent\";\n", ""),
    patch("deno_web/02_event.js", "  [SymbolToStringTag] = \"ProgressEvent\";\n", ""),
    patch("deno_web/02_event.js", "  [SymbolToStringTag] = \"PromiseRejectionEvent\";\n", ""),
    // DOM: what events had before they had constructors.
    patch(
        "deno_web/02_event.js",
        "  composedPath() {\n",
        "  initEvent(type, bubbles = false, cancelable = false) {\n    if (this[_dispatched]) return;\n    this[_stopPropagationFlag] = false;\n    this[_stopImmediatePropagationFlag] = false;\n    this[_canceledFlag] = false;\n    const attributes = this[_attributes];\n    attributes.type = webidl.converters.DOMString(type, \"Failed to execute 'initEvent' on 'Event'\", \"Argument 1\");\n    attributes.bubbles = !!bubbles;\n    attributes.cancelable = !!cancelable;\n  }\n\n  composedPath() {\n",
    ),
    // Streams: the size function of a strategy is called without a `this`.
    patch(
        "deno_web/06_streams.js",
        "chunkSize = controller[_strategySizeAlgorithm](chunk);",
        "const size = controller[_strategySizeAlgorithm];\n        chunkSize = size(chunk);",
    ),
    patch(
        "deno_web/06_streams.js",
        "value = controller[_strategySizeAlgorithm](chunk);",
        "const size = controller[_strategySizeAlgorithm];\n    value = size(chunk);",
    ),
    // Streams: a chunk that arrives while its source's code runs is written when that code is done.
    patch(
        "deno_web/06_streams.js",
        r"    chunkSteps(chunk) {
      writeChunk(chunk);
      if (pumping) {
        syncAdvance = true;
      } else {
        pump();
      }
    },",
        r"    chunkSteps(chunk) {
      if (pumping) {
        writeChunk(chunk);
        syncAdvance = true;
        return;
      }
      late = { chunk };
      queueMicrotask(() => {
        if (shuttingDown === false) writeLate();
        pump();
      });
    },",
    ),
    patch(
        "deno_web/06_streams.js",
        "  /** @param {any} chunk */\n  function writeChunk(chunk) {\n    if (bypassActive) {",
        r"  function writeLate() {
    if (late === undefined) return;
    const { chunk } = late;
    late = undefined;
    writeChunk(chunk);
  }

  /** @param {any} chunk */
  function writeChunk(chunk) {
    if (bypassActive) {",
    ),
    patch(
        "deno_web/06_streams.js",
        "  let currentWrite = PromiseResolve(undefined);\n",
        "  let currentWrite = PromiseResolve(undefined);\n  let late;\n",
    ),
    patch(
        "deno_web/06_streams.js",
        "    const oldCurrentWrite = currentWrite;\n",
        "    writeLate();\n    const oldCurrentWrite = currentWrite;\n",
    ),
    // Streams: the promise of a transformer's cancel() is converted to one of ours, which takes its turns.
    patch(
        "deno_web/06_streams.js",
        r#"    cancelAlgorithm = (reason) =>
      webidl.invokeCallbackFunction(
        transformerDict.cancel,
        [reason],
        transformer,
        webidl.converters["Promise<undefined>"],
        "Failed to execute 'cancelAlgorithm' on 'TransformStreamDefaultController'",
        true,
      );"#,
        r#"    cancelAlgorithm = (reason) =>
      resolvePromiseWith(webidl.invokeCallbackFunction(
        transformerDict.cancel,
        [reason],
        transformer,
        webidl.converters["Promise<undefined>"],
        "Failed to execute 'cancelAlgorithm' on 'TransformStreamDefaultController'",
        true,
      ));"#,
    ),
    // Streams: text is a sequence of its characters.
    patch(
        "deno_web/06_streams.js",
        "    asyncIterable = webidl.converters[\"async_sequence<any>\"](\n      asyncIterable,",
        "    asyncIterable = webidl.converters[\"async_sequence<any>\"](\n      typeof asyncIterable === \"string\" ? primordials.Object(asyncIterable) : asyncIterable,",
    ),
    // Streams: every view that can be filled is, before anybody is told of the first.
    patch(
        "deno_web/06_streams.js",
        r"  controller,
) {
  assert(!controller[_closeRequested]);
  while (controller[_pendingPullIntos].size !== 0) {
    if (controller[_queueTotalSize] === 0) {
      return;
    }",
        r"  controller,
  first = undefined,
) {
  assert(!controller[_closeRequested]);
  const filled = first === undefined ? [] : [first];
  while (controller[_pendingPullIntos].size !== 0) {
    if (controller[_queueTotalSize] === 0) {
      break;
    }",
    ),
    patch(
        "deno_web/06_streams.js",
        r"      readableByteStreamControllerShiftPendingPullInto(controller);
      readableByteStreamControllerCommitPullIntoDescriptor(
        controller[_stream],
        pullIntoDescriptor,
      );
    }
  }
}",
        r"      readableByteStreamControllerShiftPendingPullInto(controller);
      ArrayPrototypePush(filled, pullIntoDescriptor);
    }
  }
  for (let i = 0; i < filled.length; i++) {
    readableByteStreamControllerCommitPullIntoDescriptor(controller[_stream], filled[i]);
  }
}",
    ),
    patch(
        "deno_web/06_streams.js",
        r"  pullIntoDescriptor.bytesFilled -= remainderSize;
  readableByteStreamControllerCommitPullIntoDescriptor(
    controller[_stream],
    pullIntoDescriptor,
  );
  readableByteStreamControllerProcessPullIntoDescriptorsUsingQueue(
    controller,
  );",
        r"  pullIntoDescriptor.bytesFilled -= remainderSize;
  readableByteStreamControllerProcessPullIntoDescriptorsUsingQueue(controller, pullIntoDescriptor);",
    ),
    // Web Cryptography: Deno's own doors into keys stay with this script. With them, a program could
    // read keys that may not be extracted.
    patch(
        "deno_crypto/00_crypto.js",
        "const CryptoKeyPrototype = CryptoKey.prototype;",
        "const { exportNodeMaterial, fromCloneData, importSync } = CryptoKey;\nconst { create: createCrypto, registerSymbols } = Crypto;\nconst { create: createSubtle } = SubtleCrypto;\nfor (const name of [\"exportNodeMaterial\", \"fromCloneData\", \"importSync\"]) delete CryptoKey[name];\nfor (const name of [\"create\", \"registerSymbols\"]) delete Crypto[name];\ndelete SubtleCrypto.create;\nconst CryptoKeyPrototype = CryptoKey.prototype;",
    ),
    patch("deno_crypto/00_crypto.js", "CryptoKey.fromCloneData(data),", "fromCloneData(data),"),
    // The last of them makes keys of Ed448 (`ed448.js`).
    patch("deno_crypto/00_crypto.js", "  CryptoKey,\n  cryptoKeyExport", "  CryptoKey,\n  fromCloneData,\n  cryptoKeyExport"),
    patch("deno_crypto/00_crypto.js", "CryptoKey.exportNodeMaterial(cryptoKey);", "exportNodeMaterial(cryptoKey);"),
    patch("deno_crypto/00_crypto.js", "CryptoKey.importSync(format,", "importSync(format,"),
    patch("deno_crypto/00_crypto.js", "Crypto.registerSymbols(webidl", "registerSymbols(webidl"),
    patch("deno_crypto/00_crypto.js", "subtleSingleton = SubtleCrypto.create();", "subtleSingleton = createSubtle();"),
    patch("deno_crypto/00_crypto.js", "Crypto.create(getSubtleSingleton());", "createCrypto(getSubtleSingleton());"),
];
