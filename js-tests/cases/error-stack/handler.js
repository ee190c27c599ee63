// In the tenant's own hands a stack is useful: it names the file and line of the deployment.
export const handler = async () => {
  const error = new Error("outer", { cause: new TypeError("inner") });
  return { cause: error.cause.message, stack: /handler\.js:3:/.test(error.stack) };
};
