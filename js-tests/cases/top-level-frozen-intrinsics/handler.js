Object.freeze(Object.prototype);
Object.freeze(Array.prototype);
Object.freeze(Promise);
Object.freeze(Map.prototype);

export const handler = async () => ({
  frozen: Object.isFrozen(Promise) && Object.isFrozen(Map.prototype),
  works: await Promise.resolve(new Map([[1, "one"]]).get(1)),
});
