export const handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event.rawPath === "/benign") return void stream.end("benign");
  awslambda.HttpResponseStream.from(stream, {
    get statusCode() {
      for (;;);
    },
  }).end("x");
});
