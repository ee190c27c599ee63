export const handler = async (event, { getRemainingTimeInMillis, ...rest }) => {
  const context = { getRemainingTimeInMillis, ...rest };
  const before = context.getRemainingTimeInMillis();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const after = context.getRemainingTimeInMillis();
  return { inRange: before > 0 && before <= 5_000, shrinks: after < before, plausible: before - after >= 19 };
};
