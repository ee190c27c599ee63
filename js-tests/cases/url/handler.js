export const handler = async () => {
  const url = new URL("../b?x=1#frag", "https://user:pw@example.com:8443/a/c/d");
  url.searchParams.append("y", "ü &");
  url.hash = "";
  const params = new URLSearchParams([["b", "2"], ["a", "1"], ["b", "3"]]);
  params.sort();
  return {
    href: url.href,
    origin: url.origin,
    idn: new URL("http://bücher.example/").hostname,
    ip: new URL("http://0x7f.1/").hostname,
    can: [URL.canParse("/x"), URL.canParse("/x", "https://a.b")],
    sorted: String(params),
    all: params.getAll("b"),
    from: Object.fromEntries(new URLSearchParams("?q=a+b&r=%20")),
  };
};
