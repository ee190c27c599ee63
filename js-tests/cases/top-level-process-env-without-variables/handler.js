// Without variables of its own, too.
const name = process.env.AWS_LAMBDA_FUNCTION_NAME;

export const handler = async (event, context) => ({ name, env: context.env, trace: process.env._X_AMZN_TRACE_ID ?? null });
