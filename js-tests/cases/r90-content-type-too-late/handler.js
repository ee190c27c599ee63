export const handler = awslambda.streamifyResponse(async (event, responseStream) => {
  responseStream.setContentType("text/plain");
  responseStream.write("begun; ");
  try {
    responseStream.setContentType("text/html");
  } catch (error) {
    responseStream.write(`${error.name}: ${error.message}`);
  }
  responseStream.end();
});
