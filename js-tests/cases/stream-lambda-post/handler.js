export const handler = awslambda.streamifyResponse(async (event, responseStream) => {
  responseStream.setContentType("text/plain");
  for (const letter of event.body ?? "") {
    responseStream.write(letter);
    await null;
  }
  responseStream.end();
});
