export const handler = async (event, context) => ({
  functionName: context.functionName,
  functionVersion: typeof context.functionVersion,
  invokedFunctionArn: typeof context.invokedFunctionArn,
  memoryLimitInMB: context.memoryLimitInMB,
  awsRequestId: context.awsRequestId === event.requestContext.requestId,
  logGroupName: typeof context.logGroupName,
  logStreamName: typeof context.logStreamName,
  callbackWaitsForEmptyEventLoop: context.callbackWaitsForEmptyEventLoop,
});
