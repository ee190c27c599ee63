export const text = "Hello";
export const headers = { "content-type": "text/plain;charset=UTF-8" };
