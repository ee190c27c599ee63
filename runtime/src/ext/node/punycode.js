// node:punycode (RFC 3492)
(() => {
  const BASE = 36, MIN = 1, MAX = 26, SKEW = 38, DAMP = 700, FIRST_BIAS = 72, FIRST_N = 128;
  const adapt = (delta, count, first) => {
    delta = first ? Math.floor(delta / DAMP) : delta >> 1;
    delta += Math.floor(delta / count);
    let k = 0;
    for (; delta > (BASE - MIN) * MAX >> 1; k += BASE) delta = Math.floor(delta / (BASE - MIN));
    return Math.floor(k + (BASE - MIN + 1) * delta / (delta + SKEW));
  };
  const threshold = (k, bias) => k <= bias ? MIN : k >= bias + MAX ? MAX : k - bias;
  const digit = (value) => String.fromCharCode(value < 26 ? 97 + value : 22 + value);
  const valueOf = (code) => code >= 48 && code < 58 ? code - 22 : code >= 65 && code < 91 ? code - 65 : code >= 97 && code < 123 ? code - 97 : BASE;
  const ucs2 = {
    decode: (text) => Array.from(text, (char) => char.codePointAt(0)),
    encode: (points) => String.fromCodePoint(...points),
  };
  const encode = (text) => {
    const points = ucs2.decode(text);
    let out = points.filter((point) => point < 128).map((point) => String.fromCharCode(point)).join("");
    const basic = out.length;
    let n = FIRST_N, delta = 0, bias = FIRST_BIAS, done = basic;
    if (basic > 0) out += "-";
    while (done < points.length) {
      const next = Math.min(...points.filter((point) => point >= n));
      delta += (next - n) * (done + 1);
      n = next;
      for (const point of points) {
        if (point < n) delta++;
        if (point !== n) continue;
        let q = delta;
        for (let k = BASE;; k += BASE) {
          const t = threshold(k, bias);
          if (q < t) break;
          out += digit(t + (q - t) % (BASE - t));
          q = Math.floor((q - t) / (BASE - t));
        }
        out += digit(q);
        bias = adapt(delta, done + 1, done === basic);
        delta = 0;
        done++;
      }
      delta++;
      n++;
    }
    return out;
  };
  const decode = (text) => {
    const at = Math.max(text.lastIndexOf("-"), 0);
    const out = Array.from(text.slice(0, at), (char) => char.charCodeAt(0));
    let n = FIRST_N, i = 0, bias = FIRST_BIAS;
    for (let index = at > 0 ? at + 1 : 0; index < text.length;) {
      const before = i;
      for (let weight = 1, k = BASE;; k += BASE) {
        const value = valueOf(text.charCodeAt(index++));
        if (!(value < BASE)) throw new RangeError("Invalid input");
        i += value * weight;
        const t = threshold(k, bias);
        if (value < t) break;
        weight *= BASE - t;
      }
      bias = adapt(i - before, out.length + 1, before === 0);
      n += Math.floor(i / (out.length + 1));
      i %= out.length + 1;
      out.splice(i++, 0, n);
    }
    return String.fromCodePoint(...out);
  };
  const labels = (text, each) => {
    const at = text.lastIndexOf("@");
    const domain = text.slice(at + 1).split(/[.\u3002\uff0e\uff61]/).map(each).join(".");
    return text.slice(0, at + 1) + domain;
  };
  return {
    version: "2.3.1",
    ucs2,
    encode,
    decode,
    toASCII: (text) => labels(text, (label) => /[^\0-\x7f]/.test(label) ? `xn--${encode(label)}` : label),
    toUnicode: (text) => labels(text, (label) => label.startsWith("xn--") ? decode(label.slice(4).toLowerCase()) : label),
  };
})()
