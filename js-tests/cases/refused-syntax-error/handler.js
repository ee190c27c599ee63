export const handler = async () => {
  const a = ;
  return a;
};
