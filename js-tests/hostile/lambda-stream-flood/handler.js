export const handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event.rawPath === "/benign") return void stream.end("benign");
  for (;;) stream.write("x".repeat(1 << 20));
});
