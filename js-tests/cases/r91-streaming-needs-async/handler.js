export const handler = awslambda.streamifyResponse((event, responseStream) => {
  if (event.rawPath === "/written") responseStream.write("something");
  responseStream.end();
});
