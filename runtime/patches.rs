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
    // Fetch: when a body was unpacked, the fields that say how it was packed stay, as the standard has
    // it, with a mark: they are not true of the body any more. Copies keep the mark; who sets such a
    // field anew means it. `ext/fetch.js` does not send marked ones.
    patch(
        "deno_fetch/26_fetch.js",
        "    headerList: resp.headers,\n",
        r#"    headerList: resp.bodyDecoded
      ? core.loadExtScript("ext:deno_fetch/20_headers.js").marked(resp.headers)
      : resp.headers,
"#,
    ),
    patch(
        "deno_fetch/20_headers.js",
        "class Headers {\n",
        r#"function marked(list) {
  for (let i = 0; i < list.length; i++) {
    const name = byteLowerCase(list[i][0]);
    if (name === "content-encoding" || name === "content-length" || name === "transfer-encoding") list[i][2] = true;
  }
  return list;
}

function copied(entry, name = entry[0]) {
  return entry.length === 3 ? [name, entry[1], true] : [name, entry[1]];
}

class Headers {
"#,
    ),
    patch(
        "deno_fetch/20_headers.js",
        "return {\n  fillHeaderList,\n",
        "return {\n  copied,\n  marked,\n  fillHeaderList,\n",
    ),
    patch(
        "deno_fetch/20_headers.js",
        "// store header index in entries array\n          ArrayPrototypePush(entries, [name, value]);",
        "\n          ArrayPrototypePush(entries, copied(entry, name));",
    ),
    patch(
        "deno_fetch/20_headers.js",
        "ArrayPrototypePush(list, [entry[0], entry[1]]);",
        "ArrayPrototypePush(list, copied(entry));",
    ),
    patch(
        "deno_fetch/20_headers.js",
        "const entry = list[i];\n          entry[1] = value;\n",
        "const entry = [list[i][0], value];\n",
    ),
    // A copy of headers is made as a Response makes it.
    patch(
        "deno_fetch/20_headers.js",
        "    if (init !== undefined) {\n      init = webidl.converters[\"HeadersInit\"](init, prefix, \"Argument 1\");",
        r#"    if (
      !core.isProxy(init) && ObjectPrototypeIsPrototypeOf(HeadersPrototype, init) &&
      init[SymbolIterator] === HeadersPrototype[SymbolIterator]
    ) {
      this[_brand] = _brand;
      this[_guard] = "none";
      fillHeaderList(this[_headerList], init);
      return;
    }
    if (init !== undefined) {
      init = webidl.converters["HeadersInit"](init, prefix, "Argument 1");"#,
    ),
    patch("deno_fetch/23_response.js", "(x) => [x[0], x[1]],", "(x) => copied(x),"),
    patch("deno_fetch/23_response.js", "const {\n  fillHeaderList,\n", "const {\n  copied,\n  fillHeaderList,\n"),
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
    // Web Cryptography: Deno's own doors into keys stay with this script. With them, a program could
    // read keys that may not be extracted.
    patch(
        "deno_crypto/00_crypto.js",
        "const CryptoKeyPrototype = CryptoKey.prototype;",
        "const { exportNodeMaterial, fromCloneData, importSync } = CryptoKey;\nconst { create: createCrypto, registerSymbols } = Crypto;\nconst { create: createSubtle } = SubtleCrypto;\nfor (const name of [\"exportNodeMaterial\", \"fromCloneData\", \"importSync\"]) delete CryptoKey[name];\nfor (const name of [\"create\", \"registerSymbols\"]) delete Crypto[name];\ndelete SubtleCrypto.create;\nconst CryptoKeyPrototype = CryptoKey.prototype;",
    ),
    patch("deno_crypto/00_crypto.js", "CryptoKey.fromCloneData(data),", "fromCloneData(data),"),
    patch("deno_crypto/00_crypto.js", "CryptoKey.exportNodeMaterial(cryptoKey);", "exportNodeMaterial(cryptoKey);"),
    patch("deno_crypto/00_crypto.js", "CryptoKey.importSync(format,", "importSync(format,"),
    patch("deno_crypto/00_crypto.js", "Crypto.registerSymbols(webidl", "registerSymbols(webidl"),
    patch("deno_crypto/00_crypto.js", "subtleSingleton = SubtleCrypto.create();", "subtleSingleton = createSubtle();"),
    patch("deno_crypto/00_crypto.js", "Crypto.create(getSubtleSingleton());", "createCrypto(getSubtleSingleton());"),
];
