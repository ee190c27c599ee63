// What the shop sells: made when the module is evaluated, as a table imported from JSON would be.
const KINDS = ["Engine", "Loom", "Lamp", "Notebook", "Compass", "Orrery", "Sextant", "Barometer"];
const METALS = ["brass", "copper", "steel", "silver", "tin"];

export const catalogue = KINDS.flatMap((kind, k) =>
  METALS.map((metal, m) => ({
    sku: `${kind.slice(0, 2).toUpperCase()}-${1800 + 10 * k + m}`,
    name: `${kind}, ${metal}`,
    price: { amount: 19.5 + 7 * k + 3 * m, currency: "GBP" },
    stock: (k * 7 + m * 3) % 11,
    tags: [kind.toLowerCase(), metal],
  })),
);

const bySku = new Map(catalogue.map((product) => [product.sku, product]));

export const find = (sku) => bySku.get(sku);

export const search = (text) =>
  catalogue.filter(({ name, tags }) => name.includes(text) || tags.includes(text.toLowerCase()));
