// The same at the top level: every isolate reads them anew, no snapshot holds them.
const { AWS_LAMBDA_FUNCTION_NAME, AWS_REGION, GREETING } = process.env;

export const api = {
  async get() {
    return { AWS_LAMBDA_FUNCTION_NAME, AWS_REGION, GREETING, still: process.env.GREETING };
  },
};
