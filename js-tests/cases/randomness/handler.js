// Neither two isolates nor two requests draw the same numbers.
const atStart = Math.random();
const idAtStart = crypto.randomUUID();
export const handler = async () => ({
  uuid: crypto.randomUUID(),
  valid: /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(idAtStart),
  math: Math.random(),
  bytes: crypto.getRandomValues(new Uint32Array(4)).join(),
  range: atStart >= 0 && atStart < 1,
});
