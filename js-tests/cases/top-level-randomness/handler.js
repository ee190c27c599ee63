const seed = Math.random();
const table = Array.from({ length: 4 }, () => Math.random());

export const handler = () => ({
  seed: seed >= 0 && seed < 1, table: new Set(table).size, fresh: Math.random() !== seed,
});
