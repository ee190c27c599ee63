// What is no thenable when it is returned, and one when nobody can call back any more.
export const handler = (event, context, callback) => {
  if (event.rawPath === "/benign") return Promise.resolve("benign");
  let looks = 0;
  return {
    get then() {
      if (looks++ > 0) for (;;);
    },
  };
};
