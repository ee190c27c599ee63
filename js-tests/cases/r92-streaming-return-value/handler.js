export const handler = awslambda.streamifyResponse(async (event, responseStream) => {
  responseStream.end("body");
  return { statusCode: 404 };
});
