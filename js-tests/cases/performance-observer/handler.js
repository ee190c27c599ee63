const observed = (run) =>
  new Promise((resolve) => {
    const calls = [];
    const observer = new PerformanceObserver((list, self, options) => {
      calls.push([list.getEntries().map((entry) => entry.name), self === observer, options.droppedEntriesCount ?? null]);
      if (calls.length === 1) return performance.mark("again");
      self.disconnect();
      resolve(calls);
    });
    run(observer);
  });
const thrown = (run) => {
  try {
    run();
  } catch (error) {
    return error.name;
  }
};

export const handler = async () => {
  performance.clearMarks();
  performance.clearMeasures();
  const stacked = await observed((observer) => {
    observer.observe({ type: "mark" });
    observer.observe({ type: "measure" });
    performance.mark("late", { startTime: 1_000_000_000 });
    performance.measure("early", { start: 0, end: 1 });
  });
  const mixed = new PerformanceObserver(() => {});
  mixed.observe({ type: "mark" });
  return {
    stacked,
    mixed: thrown(() => mixed.observe({ entryTypes: ["mark"] })),
    none: thrown(() => mixed.observe({})),
    types: PerformanceObserver.supportedEntryTypes === PerformanceObserver.supportedEntryTypes,
    all: performance.getEntries().slice(0, 2).map((entry) => entry.name),
    measure: performance.measure("m", null, "late").startTime,
  };
};
