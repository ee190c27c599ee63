// Not a promise, but with a then: awaited like one.
export const handler = () => ({ then: (resolve) => setTimeout(() => resolve("later"), 1) });
