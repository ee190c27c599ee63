// What code for Node expects of a writable: back-pressure, callbacks, events in order.
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const seen = [];
  stream.on("drain", () => seen.push("drain"));
  stream.once("finish", () => console.log(`finish ${seen.join()} ${stream.writableFinished}`));
  stream.on("close", () => console.log("close"));
  const more = stream.write("x".repeat(20_000), "utf8", () => seen.push("callback"));
  if (!more) await new Promise((resolve) => stream.once("drain", resolve));
  seen.push([stream.writable, stream.writableEnded, stream.writableHighWaterMark, stream.writableLength].join("/"));
  await new Promise((resolve) => stream.end("y", resolve));
  stream.on("error", (error) => seen.push(error.code));
});
