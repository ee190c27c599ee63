//! Events, URLs, messages.

use super::{Patch, patch};

pub const PATCHES: &[Patch] = &[
    // `URL` is there before this script is; bootstrap.js gives it the two members.
    patch(
        "deno_web/09_file.js",
        "URL.createObjectURL = createObjectURL;\nURL.revokeObjectURL = revokeObjectURL;\n",
        "",
    ),
    patch("deno_web/09_file.js", "return {\n  Blob,", "return {\n  createObjectURL,\n  revokeObjectURL,\n  Blob,"),
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
    // HTML: what cannot be transferred says so.
    patch(
        "deno_web/13_message_port.js",
        "      const rid = core.getTransferableResource(type).send(transferable);",
        r"      const resource = core.getTransferableResource(type);
      if (resource === undefined) throw new DOMException('Value not transferable', 'DataCloneError');
      const rid = resource.send(transferable);",
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
];
