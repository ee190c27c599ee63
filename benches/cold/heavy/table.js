// Orders, made when the module is evaluated: the same in every isolate, without a clock or chance.
export const COUNTRIES = ["GB", "FR", "DE", "IT", "ES", "PL", "SE", "NL", "BE", "AT"];
export const STATUSES = ["PLACED", "PAID", "SENT", "RETURNED"];

const NAMES = ["Ada", "Charles", "Grace", "Alan", "Emmy", "Sofia", "Henri", "Mary"];
const GOODS = ["Engine", "Loom", "Lamp", "Notebook", "Compass", "Orrery", "Sextant"];

// Lehmer's generator: integers only, so that every engine agrees.
let state = 1852;
const next = (below) => {
  state = (state * 48_271) % 2_147_483_647;
  return state % below;
};

export const table = Array.from({ length: ROWS }, (_, row) => ({
  id: `order-${row}`,
  placed: 1_700_000_000 + row * 60,
  status: STATUSES[next(STATUSES.length)],
  customer: { name: `${NAMES[next(NAMES.length)]} ${row % 977}`, country: COUNTRIES[next(COUNTRIES.length)] },
  lines: Array.from({ length: 1 + next(3) }, () => {
    const good = next(GOODS.length);
    return { sku: `G-${good}`, name: GOODS[good], quantity: 1 + next(5), price: 100 + next(9_000) };
  }),
}));

export const byCountry = new Map(COUNTRIES.map((country) => [country, []]));
for (const order of table) byCountry.get(order.customer.country).push(order);
