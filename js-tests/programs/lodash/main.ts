import { chunk, debounce, get, groupBy, isEqual, merge, sortBy, template, uniqBy } from "lodash-es";

export const handler = async () => ({
  chunk: chunk([1, 2, 3, 4, 5], 2), groups: groupBy(["one", "two", "three"], "length"), merged: merge({ a: { b: 1 } }, { a: { c: 2 } }),
  sorted: sortBy([{ n: 3 }, { n: 1 }], "n"), uniq: uniqBy([1.2, 1.4, 2], Math.floor), deep: get({ a: [{ b: 7 }] }, "a[0].b"),
  equal: isEqual({ a: new Date(1) }, { a: new Date(1) }), text: template("hello <%= name %>")({ name: "you" }), debounce: typeof debounce(() => {}),
});
