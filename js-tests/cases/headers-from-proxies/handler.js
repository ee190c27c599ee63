// Headers look at what they are made of as Web IDL says, no more and no less; those with an iterator of their own are asked for it.
export const handler = async () => {
  const looks = [];
  const watched = new Proxy({ a: "b" }, new Proxy({}, { get: (_, trap) => void looks.push(trap) }));
  const headers = new Headers(watched);
  class Mine extends Headers {
    *[Symbol.iterator]() {
      yield ["x", "from the iterator"];
    }
  }
  const source = new Headers([["b", "2"], ["a", "1"], ["A", "3"], ["set-cookie", "c"], ["set-cookie", "d"]]);
  const copy = new Headers(source);
  copy.set("b", "changed");
  return { looks, a: headers.get("a"), mine: [...new Headers(new Mine({ a: "b" }))], copy: [...copy], source: source.get("b") };
};
