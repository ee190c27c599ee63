Promise.reject(new Error("nobody waits for this"));

export const handler = () => ({ fine: true });
