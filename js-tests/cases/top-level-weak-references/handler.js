const target = { name: "target" };
const reference = new WeakRef(target);
const facts = new WeakMap([[target, "fact"]]);
const seen = new WeakSet([target]);

export const handler = () => ({
  same: reference.deref() === target,
  fact: facts.get(reference.deref()),
  seen: [seen.has(target), seen.has({})],
});
