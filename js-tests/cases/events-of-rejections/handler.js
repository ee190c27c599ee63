const seen = [];
let told;
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  told = event.promise;
  seen.push(`unhandled ${event.reason.message}`);
});
onrejectionhandled = (event) => {
  seen.push(`handled ${event.reason.message} ${event.promise === told}`);
};
const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

export const handler = async () => {
  seen.length = 0;
  const rejected = Promise.reject(new Error("late"));
  await turn();
  await turn();
  rejected.catch(() => {});
  await turn();
  await turn();
  Promise.reject(new Error("in time")).catch(() => {});
  await turn();
  return seen;
};
