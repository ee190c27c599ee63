const { port1, port2 } = new MessageChannel();

export const handler = async () => {
  const heard = new Promise((done) => { port2.onmessage = (event) => done(event.data); });
  port1.postMessage({ hello: new Map([["from", "port1"]]) });
  const { hello } = await heard;
  return { hello: [...hello] };
};
