// Code that looks for what the language has must see the same world at start and later.
const had = { try: typeof Promise.try, concat: typeof Iterator.concat, base64: typeof Uint8Array.fromBase64 };
if (!Promise.try) Promise.try = (f) => new Promise((done) => done(f()));
const early = await Promise.try(() => "early");

export const handler = async () => ({
  had,
  now: { try: typeof Promise.try, concat: typeof Iterator.concat, base64: typeof Uint8Array.fromBase64 },
  early,
  late: await Promise.try(() => "late"),
});
