//! Fetch, and what of files and places it uses.

use super::{Patch, patch};

pub const PATCHES: &[Patch] = &[
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
    // Fetch: what `fetch_rules.js` knows.
    patch(
        "deno_fetch/26_fetch.js",
        "const REQUEST_BODY_HEADER_NAMES = [",
        "const rules = core.loadExtScript(\"ext:isle/fetch_rules.js\");\n\nconst REQUEST_BODY_HEADER_NAMES = [",
    ),
    patch(
        "deno_fetch/26_fetch.js",
        r#"    const body = new InnerBody(req.blobUrlEntry.stream());
    terminator"#,
        r#"    const part = rules.partOfBlob(req.headerList, req.blobUrlEntry);
    if (part === undefined) return networkError("the blob has no such range");
    const body = new InnerBody(part.blob.stream());
    terminator"#,
    ),
    patch(
        "deno_fetch/26_fetch.js",
        r#"      headerList: [
        ["content-length", String(req.blobUrlEntry.size)],
        ["content-type", req.blobUrlEntry.type],
      ],
      status: 200,
      statusMessage: "OK",
      body,"#,
        r#"      headerList: part.headerList,
      status: part.status,
      statusMessage: part.statusMessage,
      body,"#,
    ),
    patch(
        "deno_fetch/26_fetch.js",
        "  const { requestRid, cancelHandleRid } = op_fetch(",
        "  if (req.cacheMode !== undefined) rules.addCacheFields(req);\n  const { requestRid, cancelHandleRid } = op_fetch(",
    ),
    patch(
        "deno_fetch/26_fetch.js",
        "    locationHeaders[0][1],\n",
        "    rules.decodedLocation(locationHeaders[0][1]),\n",
    ),
    patch(
        "deno_fetch/26_fetch.js",
        "  if (request.redirectCount === 20) {",
        r#"  if (rules.leadsAstray(locationURL, currentURL)) {
    return networkError("Can not redirect to a URL that includes credentials");
  }
  if (request.redirectCount === 20) {"#,
    ),
    patch(
        "deno_fetch/26_fetch.js",
        "          mainFetch(request, false, requestObject.signal),",
        r#"          request.integrity
            ? rules.withIntegrity(request.integrity, mainFetch(request, false, requestObject.signal))
            : mainFetch(request, false, requestObject.signal),"#,
    ),
    // Fetch: what a mode allows, and a body that outlives its maker must be there whole.
    patch(
        "deno_fetch/23_request.js",
        "    // 26.\n    if (init.signal",
        r#"    if (
      request.mode === "no-cors" && request.method !== "GET" && request.method !== "HEAD" && request.method !== "POST"
    ) {
      throw new TypeError(`${prefix}: the method ${request.method} is not allowed in mode 'no-cors'`);
    }

    // 26.
    if (init.signal"#,
    ),
    patch(
        "deno_fetch/23_request.js",
        "      initBody = res.body;\n",
        r#"      initBody = res.body;
      if (request.keepalive && initBody.source === null) {
        throw new TypeError(`${prefix}: a stream cannot be kept alive`);
      }
"#,
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
];
