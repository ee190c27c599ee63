export const handler = async () => {
  const slots = await Promise.all(Array.from({ length: 1000 }, async (_, i) => (await null, i)));
  const first = await Promise.race([new Promise(() => {}), Promise.resolve("first")]);
  const settled = await Promise.allSettled([Promise.reject(new Error("handled")), 1]);
  return { sum: slots.reduce((a, b) => a + b, 0), first, settled: settled.map((s) => s.status) };
};
