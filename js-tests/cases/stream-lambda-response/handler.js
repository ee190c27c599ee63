// `HttpResponseStream.from` gives the stream a head; the body may take its time.
export const handler = awslambda.streamifyResponse(async (event, responseStream, context) => {
  const stream = awslambda.HttpResponseStream.from(responseStream, {
    statusCode: 201,
    headers: { "Content-Type": "text/html", "x-number": 5, "x-nothing": null },
    cookies: ["a=1", "b=2"],
  });
  stream.write("<p>");
  await new Promise((resolve) => setTimeout(resolve, 10));
  stream.write(new TextEncoder().encode(event.rawPath));
  stream.write(Uint16Array.of(0x2a2a));
  stream.end(typeof context.getRemainingTimeInMillis() + "</p>");
});
