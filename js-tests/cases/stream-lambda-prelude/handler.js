// The prelude by hand, cut where it hurts, as some frameworks' adapters write it.
export const handler = awslambda.streamifyResponse(async (event, responseStream) => {
  responseStream.setContentType("application/vnd.awslambda.http-integration-response");
  const prelude = JSON.stringify({ statusCode: 202, headers: { "x-a": "b" } });
  responseStream.write(prelude.slice(0, 10));
  responseStream.write(prelude.slice(10));
  responseStream.write(new Uint8Array(5));
  responseStream.write(new Uint8Array([0, 0, 0, 98, 111]));
  responseStream.end("dy");
});
