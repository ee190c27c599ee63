export const handler = async () => {
  const { port1, port2 } = new MessageChannel();
  const heard = new Promise((resolve) => (port2.onmessage = (event) => resolve(event.data)));
  port1.postMessage({ deep: [1, new Date(0)] });
  const data = await heard;
  port1.close();
  return { deep: data.deep[0], date: data.deep[1].getTime() };
};
