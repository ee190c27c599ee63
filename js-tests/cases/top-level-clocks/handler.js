const started = Date.now(), mark = performance.now(), origin = performance.timeOrigin;

export const handler = () => ({
  // What was read at the top may be old, but no clock may run backwards or stand still.
  date: Date.now() >= started && Date.now() - started < 60_000_000,
  now: performance.now() > 0 && performance.now() < 60_000_000,
  origin: Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 1_000,
  kinds: [typeof mark, typeof origin],
});
