// node:url
(() => {
  const querystring = __bootstrap.node("querystring");
  const { toASCII, toUnicode } = __bootstrap.node("punycode");
  const SLASHED = { "http:": true, "https:": true, "ftp:": true, "ws:": true, "wss:": true, "file:": true };
  class Url {
    constructor() {
      Object.assign(this, {
        protocol: null, slashes: null, auth: null, host: null, port: null, hostname: null, hash: null, search: null,
        query: null, pathname: null, path: null, href: "",
      });
    }
    format() {
      return format(this);
    }
    resolve(to) {
      return resolve(this.href, to);
    }
  }
  const parse = (text, withQuery = false, slashesDenoteHost = false) => {
    if (text instanceof Url) return text;
    if (typeof text !== "string") throw Object.assign(new TypeError(`The "url" argument must be of type string. Received ${typeof text}`), { code: "ERR_INVALID_ARG_TYPE" });
    const url = new Url();
    let rest = text.trim();
    const take = (char) => {
      const at = rest.indexOf(char);
      if (at < 0) return null;
      const tail = rest.slice(at);
      rest = rest.slice(0, at);
      return tail;
    };
    url.hash = take("#");
    url.search = take("?");
    const scheme = /^([a-z][a-z0-9+.-]*:)/i.exec(rest);
    if (scheme !== null) {
      url.protocol = scheme[1].toLowerCase();
      rest = rest.slice(scheme[1].length);
    }
    const slashes = rest.startsWith("//") && (url.protocol !== null || slashesDenoteHost);
    // `mailto:you@example.org` has a host, too.
    if (slashes || url.protocol !== null && !SLASHED[url.protocol] && url.protocol !== "javascript:") {
      if (slashes) {
        url.slashes = true;
        rest = rest.slice(2);
      }
      const at = rest.indexOf("/");
      let authority = at < 0 ? rest : rest.slice(0, at);
      rest = at < 0 ? "" : rest.slice(at);
      const user = authority.lastIndexOf("@");
      if (user >= 0) {
        url.auth = decodeURIComponent(authority.slice(0, user));
        authority = authority.slice(user + 1);
      }
      const port = /:([0-9]*)$/.exec(authority);
      if (port !== null) {
        if (port[1] !== "") url.port = port[1];
        authority = authority.slice(0, port.index);
      }
      const bare = authority.replace(/^\[|\]$/g, "").toLowerCase();
      url.hostname = authority.startsWith("[") ? bare : toASCII(bare);
      url.host = (authority.startsWith("[") ? `[${bare}]` : url.hostname) + (url.port === null ? "" : `:${url.port}`);
    }
    url.pathname = rest === "" ? (url.slashes && SLASHED[url.protocol] ? "/" : null) : rest.replace(/[\s"<>\\^`{|}']/g, (char) => char === "\\" ? "/" : encodeURIComponent(char).replace("'", "%27"));
    url.query = withQuery ? querystring.parse(url.search?.slice(1) ?? "") : url.search?.slice(1) ?? null;
    if (withQuery && url.search === null) url.search = "";
    url.path = url.pathname === null && !url.search ? null : `${url.pathname ?? ""}${url.search ?? ""}`;
    url.href = format(url);
    return url;
  };
  const format = (url, options) => {
    if (typeof url === "string") return parse(url).href;
    if (url instanceof URL) {
      const copy = new URL(url);
      if (options?.fragment === false) copy.hash = "";
      if (options?.search === false) copy.search = "";
      if (options?.auth === false) copy.username = copy.password = "";
      return copy.href;
    }
    let protocol = url.protocol ?? "";
    if (protocol !== "" && !protocol.endsWith(":")) protocol += ":";
    const auth = url.auth ? `${encodeURIComponent(url.auth).replace(/%3A/i, ":")}@` : "";
    let host = "";
    if (url.host) host = auth + url.host;
    else if (url.hostname) host = `${auth}${url.hostname.includes(":") ? `[${url.hostname}]` : url.hostname}${url.port ? `:${url.port}` : ""}`;
    let search = url.search || (url.query !== null && typeof url.query === "object" && Object.keys(url.query).length > 0 ? `?${querystring.stringify(url.query)}` : "");
    if (search !== "" && search[0] !== "?") search = `?${search}`;
    let pathname = (url.pathname ?? "").replace(/[?#]/g, encodeURIComponent);
    if (url.slashes || SLASHED[protocol] && host !== "") {
      host = `//${host}`;
      if (pathname !== "" && pathname[0] !== "/") pathname = `/${pathname}`;
    }
    const hash = url.hash ? (url.hash[0] === "#" ? url.hash : `#${url.hash}`) : "";
    return protocol + host + pathname + search.replace("#", "%23") + hash;
  };
  const resolve = (from, to) => {
    const base = new URL(from, "resolve://x/");
    const target = new URL(to, base);
    if (target.protocol !== "resolve:") return target.href;
    return from.startsWith("/") || to.startsWith("/") ? target.pathname + target.search + target.hash : (target.pathname + target.search + target.hash).slice(1);
  };
  const fileURLToPath = (value) => {
    const url = typeof value === "string" ? new URL(value) : value;
    if (url.protocol !== "file:") throw Object.assign(new TypeError("The URL must be of scheme file"), { code: "ERR_INVALID_URL_SCHEME" });
    return decodeURIComponent(url.pathname);
  };
  const pathToFileURL = (path) => {
    const url = new URL("file:///");
    url.pathname = __bootstrap.node("path").resolve(path).replace(/%/g, "%25").replace(/\?/g, "%3F").replace(/#/g, "%23");
    return url;
  };
  return {
    URL,
    URLSearchParams,
    Url,
    parse,
    format,
    resolve,
    resolveObject: (from, to) => parse(resolve(from, to)),
    domainToASCII: toASCII,
    domainToUnicode: toUnicode,
    fileURLToPath,
    pathToFileURL,
    urlToHttpOptions: (url) => ({
      protocol: url.protocol, hostname: url.hostname.replace(/^\[|\]$/g, ""), hash: url.hash, search: url.search, pathname: url.pathname,
      path: `${url.pathname}${url.search}`, href: url.href, ...(url.port === "" ? {} : { port: Number(url.port) }),
      ...(url.username || url.password ? { auth: `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}` } : {}),
    }),
  };
})()
