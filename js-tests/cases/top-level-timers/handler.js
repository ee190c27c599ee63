let ticks = 0;
const interval = setInterval(() => ticks++, 5);
const cleared = setTimeout(() => { ticks = -1000; }, 1);
clearTimeout(cleared);
await new Promise((done) => setTimeout(done, 20));
const atStart = ticks;

export const handler = async () => {
  const before = ticks;
  await new Promise((done) => setTimeout(done, 30));
  return { atStart: atStart > 0, going: ticks > before, interval: typeof interval };
};
