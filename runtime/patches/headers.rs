//! Fields of responses whose body was unpacked on the way.

use super::{Patch, patch};

pub const PATCHES: &[Patch] = &[
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
];
