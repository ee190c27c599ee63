export const handler = () => {
  throw new Error("at once");
};
