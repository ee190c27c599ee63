// Where parsers differ.
const href = (input, base) => URL.parse(input, base)?.href ?? null;
const set = (input, name, value) => {
  const url = new URL(input);
  url[name] = value;
  return url.href;
};

export const handler = async () => ({
  parsed: [
    href("file:///w|/m"), href("/", "file://h/C:/a/b"), href("file:\\\\//"), href("non-special:opaque  ?hi"),
    href("http://a.b.c.xn--pokxncvks"), href("https://user:p%40ss@EXAMPLE.org:443/a/../b?c#d"), href("http://1.2.3"),
    href("http://[::1]:80/"), href("http://\u00e9.example/\u00e9?\u00e9#\u00e9"), href("//x", "mailto:a"),
  ],
  set: [
    set("non-spec:/.//p", "hostname", "h"), set("https://domain.com:3000", "port", "\t"),
    set("foo:///some/path", "pathname", ""), set("data:space ?query", "search", ""),
    set("https://a/", "username", "x@y"), set("https://a/#b", "hash", ""), set("https://a/", "protocol", "mailto"),
  ],
  parts: (() => {
    const { username, password, host, hostname, port, pathname, search, hash, origin } =
      new URL("https://u:p@h.example:8080/p/q?s=1#f");
    return [username, password, host, hostname, port, pathname, search, hash, origin];
  })(),
  origins: [new URL("blob:https://a.example/x").origin, new URL("blob:ftp://a.example/x").origin],
  pattern: new URLPattern({ pathname: "/([\\d&&[0-4]])/:rest" }).exec({ pathname: "/3/x" })?.pathname.groups,
});
