class Counter {
  static #made = 0;
  #count = 0;
  static {
    Counter.#made = 1;
  }
  bump() {
    this.#count ??= 0;
    return ++this.#count + Counter.#made;
  }
}
export const handler = async () => ({
  private: new Counter().bump(),
  grouped: Object.groupBy([1, 2, 3], (n) => (n % 2 ? "odd" : "even")),
  sorted: [3, 1, 2].toSorted(),
  at: [1, 2, 3].at(-1),
  union: [...new Set([1]).union(new Set([2]))],
  regexp: "2026-08-21".match(/(?<year>\d{4})/v).groups.year,
  iterator: [1, 2, 3, 4].values().filter((n) => n > 2).toArray(),
  resolvers: typeof Promise.withResolvers().resolve,
});
