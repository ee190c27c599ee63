// Work that outlives its response neither breaks it nor the next one.
export const handler = async () => {
  setTimeout(() => {
    throw new Error("after the response");
  }, 1);
  Promise.resolve().then(() => Promise.reject(new Error("nobody catches this")));
  return "answered";
};
