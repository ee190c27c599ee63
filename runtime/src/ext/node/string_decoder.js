// node:string_decoder
(() => {
  const { Buffer } = __bootstrap.node("buffer");
  const names = { utf8: "utf8", "utf-8": "utf8", utf16le: "utf16le", ucs2: "utf16le", "utf-16le": "utf16le", "ucs-2": "utf16le", base64: "base64", base64url: "base64url", hex: "hex", ascii: "ascii", latin1: "latin1", binary: "latin1" };
  function StringDecoder(encoding) {
    const name = names[String(encoding ?? "utf8").toLowerCase()];
    if (name === undefined) throw Object.assign(new TypeError(`Unknown encoding: ${encoding}`), { code: "ERR_UNKNOWN_ENCODING" });
    this.encoding = name;
    this._rest = Buffer.alloc(0);
    this._text = name === "utf8" ? new TextDecoder("utf-8", { ignoreBOM: true }) : name === "utf16le" ? new TextDecoder("utf-16le", { ignoreBOM: true }) : undefined;
  }
  StringDecoder.prototype.write = function (chunk) {
    if (typeof chunk === "string") return chunk;
    if (this._text !== undefined) return this._text.decode(chunk, { stream: true });
    // Base64 goes by three bytes.
    const step = this.encoding.startsWith("base64") ? 3 : 1;
    const all = Buffer.concat([this._rest, chunk]);
    const whole = all.length - all.length % step;
    this._rest = all.subarray(whole);
    return all.toString(this.encoding, 0, whole);
  };
  StringDecoder.prototype.end = function (chunk) {
    let text = chunk === undefined ? "" : this.write(chunk);
    if (this._text !== undefined) text += this._text.decode();
    else text += this._rest.toString(this.encoding);
    this._rest = Buffer.alloc(0);
    return text;
  };
  return { StringDecoder };
})()
