// node:querystring
(() => {
  const keep = /[!'()*\-._~]/;
  const escape = (value) =>
    encodeURIComponent(String(value).toWellFormed()).replace(/%[0-9A-F]{2}/g, (code) => {
      const char = String.fromCharCode(parseInt(code.slice(1), 16));
      return keep.test(char) ? char : code;
    });
  const unescape = (value) => {
    try {
      return decodeURIComponent(value);
    } catch {
      const bytes = [];
      for (let i = 0; i < value.length; i++) {
        const pair = value[i] === "%" ? value.substr(i + 1, 2) : "";
        if (/^[0-9a-f]{2}$/i.test(pair)) {
          bytes.push(parseInt(pair, 16));
          i += 2;
        } else bytes.push(...new TextEncoder().encode(value[i]));
      }
      return new TextDecoder().decode(Uint8Array.from(bytes));
    }
  };
  const primitive = (value) =>
    typeof value === "string" ? value : typeof value === "number" ? (Number.isFinite(value) ? `${value}` : "") : typeof value === "bigint" || typeof value === "boolean" ? `${value}` : "";
  const querystring = {
    escape,
    unescape,
    stringify(object, separator = "&", equals = "=", options = undefined) {
      if (object === null || typeof object !== "object") return "";
      const encode = options?.encodeURIComponent ?? querystring.escape;
      return Object.keys(object).flatMap((key) => {
        const name = encode(primitive(key)), value = object[key];
        return (Array.isArray(value) ? value : [value]).map((item) => `${name}${equals}${encode(primitive(item))}`);
      }).join(separator);
    },
    parse(text, separator = "&", equals = "=", options = undefined) {
      const out = { __proto__: null };
      if (typeof text !== "string" || text.length === 0) return out;
      const decode = options?.decodeURIComponent ?? querystring.unescape;
      const read = (part) => {
        try {
          return decode(part.replaceAll("+", " "));
        } catch {
          return unescape(part.replaceAll("+", " "));
        }
      };
      const max = options?.maxKeys ?? 1000;
      let parts = text.split(separator).filter((part) => part !== "");
      if (max > 0) parts = parts.slice(0, max);
      for (const part of parts) {
        const at = part.indexOf(equals);
        const key = read(at < 0 ? part : part.slice(0, at)), value = at < 0 ? "" : read(part.slice(at + equals.length));
        if (!(key in out)) out[key] = value;
        else if (Array.isArray(out[key])) out[key].push(value);
        else out[key] = [out[key], value];
      }
      return out;
    },
  };
  querystring.encode = querystring.stringify;
  querystring.decode = querystring.parse;
  return querystring;
})()
