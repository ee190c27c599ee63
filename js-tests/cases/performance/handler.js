export const handler = async () => {
  const before = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 10));
  const passed = performance.now() - before;
  const now = performance.timeOrigin + performance.now();
  performance.mark("a");
  return { passed: passed >= 9 && passed < 10_000, clock: Math.abs(Date.now() - now) < 10_000, marks: performance.getEntriesByName("a").length > 0 };
};
