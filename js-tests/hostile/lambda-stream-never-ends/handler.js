export const handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event.rawPath === "/benign") return void stream.end("benign");
  stream.write("begun");
  await new Promise(() => setInterval(() => {}, 50));
});
