export const handler = async (event) => Object.fromEntries(new URLSearchParams(atob(event.body)));
