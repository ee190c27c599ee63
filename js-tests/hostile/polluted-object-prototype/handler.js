// Inherited accessors must not stand in for what the result does not have.
let armed = false;
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  if (!armed) {
    armed = true;
    for (const name of ["then", "toJSON", "body", "cookies", "headers", "isBase64Encoded", "value", "get", "set", "writable"]) {
      Object.defineProperty(Object.prototype, name, {
        __proto__: null,
        configurable: true,
        get() {
          return undefined;
        },
        set() {},
      });
    }
  }
  return { statusCode: 200 };
};
