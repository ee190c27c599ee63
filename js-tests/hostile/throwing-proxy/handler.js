export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const trap = () => {
    throw new Error("from the trap");
  };
  return new Proxy({}, { get: trap, has: trap, ownKeys: trap, getOwnPropertyDescriptor: trap, getPrototypeOf: trap });
};
