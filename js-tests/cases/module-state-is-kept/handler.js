// The proof that the second request found the first one's isolate.
let count = 0;
export const handler = async () => ({ count: ++count });
