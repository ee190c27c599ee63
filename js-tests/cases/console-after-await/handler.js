// Lines written after an await belong to the same request.
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const handler = async () => {
  console.log("before");
  await pause(5);
  console.log("after\nin two lines");
  return "logged";
};
