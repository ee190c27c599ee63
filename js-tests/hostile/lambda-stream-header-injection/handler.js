export const handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event.rawPath === "/benign") return void stream.end("benign");
  awslambda.HttpResponseStream.from(stream, { headers: { "x-a": "b\r\nset-cookie: c=d" } }).end("x");
});
