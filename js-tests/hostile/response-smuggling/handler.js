// Framing is the gateway's business: what a handler says about it is not passed on.
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  return {
    statusCode: 200,
    headers: {
      "content-length": "2",
      "transfer-encoding": "chunked",
      connection: "close, x-kept",
      "keep-alive": "timeout=1",
      upgrade: "h2c",
      trailer: "x-late",
      "x-kept": "yes",
    },
    body: "whole body",
  };
};
