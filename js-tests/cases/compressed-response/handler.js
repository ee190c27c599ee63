// A body that the function compressed itself is passed on as it is.
export const handler = async () => {
  const packed = await new Response(new Response("plain text").body.pipeThrough(new CompressionStream("gzip"))).arrayBuffer();
  return {
    statusCode: 200,
    headers: { "content-type": "text/plain", "content-encoding": "gzip" },
    body: btoa(String.fromCharCode(...new Uint8Array(packed))),
    isBase64Encoded: true,
  };
};
