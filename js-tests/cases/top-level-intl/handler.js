const money = new Intl.NumberFormat("de-DE", { style: "currency", currency: "EUR" });
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeZone: "UTC" });
const order = new Intl.Collator("sv");
const plural = new Intl.PluralRules("en", { type: "ordinal" });
const list = new Intl.ListFormat("en", { type: "conjunction" });
const segments = new Intl.Segmenter("en", { granularity: "word" });

export const handler = () => ({
  money: money.format(1234.5),
  day: day.format(new Date(0)),
  order: ["z", "ö", "a"].sort(order.compare),
  plural: [1, 2, 3, 4].map((n) => plural.select(n)),
  list: list.format(["a", "b", "c"]),
  words: [...segments.segment("two words")].filter((s) => s.isWordLike).length,
  locale: (12.5).toLocaleString("fr-FR"),
});
