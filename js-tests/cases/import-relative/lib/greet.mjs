export const word = "Hello";
export default (name) => `${word}, ${name}`;
