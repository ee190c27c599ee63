// node:perf_hooks
(() => ({ performance, Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure, constants: {} }))()
