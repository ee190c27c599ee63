// What Lambda's runtime says, with the function's variables over it; read inside, so that it may be in a snapshot.
export const api = {
  async get(event, context) {
    const { ...env } = process.env;
    env.AWS_LAMBDA_FUNCTION_VERSION = env.AWS_LAMBDA_FUNCTION_VERSION === context.functionVersion;
    env.AWS_LAMBDA_LOG_GROUP_NAME = env.AWS_LAMBDA_LOG_GROUP_NAME === context.logGroupName;
    env.AWS_LAMBDA_LOG_STREAM_NAME = env.AWS_LAMBDA_LOG_STREAM_NAME === context.logStreamName;
    return env;
  },
};
