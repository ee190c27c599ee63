let cleaned = 0;
const registry = new FinalizationRegistry(() => cleaned++);
const kept = { name: "kept" };
registry.register(kept, "kept");
(() => registry.register({ name: "gone" }, "gone"))();

export const handler = () => {
  registry.register({}, "another");
  return { registry: registry instanceof FinalizationRegistry, kept: kept.name, unregistered: registry.unregister({}) };
};
