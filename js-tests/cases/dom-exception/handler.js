export const handler = async () => {
  const error = new DOMException("no", "DataCloneError");
  return { name: error.name, code: error.code, isError: error instanceof Error, text: String(error) };
};
