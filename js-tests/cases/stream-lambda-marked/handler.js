// Without the helper: compiled code sets the mark itself.
export const handler = async (event, responseStream) => {
  responseStream.end(JSON.stringify(event.queryStringParameters));
};
handler[Symbol.for("aws.lambda.runtime.handler.streaming")] = "response";
