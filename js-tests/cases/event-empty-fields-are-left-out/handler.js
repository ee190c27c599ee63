const optional = ["cookies", "queryStringParameters", "pathParameters", "stageVariables", "body"];
export const handler = async (event) => ({
  present: optional.filter((field) => field in event),
  routeKey: event.routeKey,
  rawQueryString: event.rawQueryString,
  // Code written for either form works.
  either: event.queryStringParameters?.x ?? "nothing",
});
