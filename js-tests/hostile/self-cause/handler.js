export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const error = new AggregateError([], "x");
  error.cause = error;
  error.errors.push(error, error);
  throw error;
};
