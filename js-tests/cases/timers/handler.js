const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const handler = async () => {
  const order = [];
  setTimeout((...args) => order.push(`late ${args}`), 10, 1, 2);
  setTimeout(() => order.push("early"), 1);
  clearTimeout(setTimeout(() => order.push("cleared"), 1));
  queueMicrotask(() => order.push("microtask"));
  order.push("sync");
  let ticks = 0;
  await new Promise((resolve) => {
    const interval = setInterval(() => {
      if (++ticks === 3) {
        clearInterval(interval);
        resolve();
      }
    }, 1);
  });
  await pause(20);
  return { order, ticks };
};
