export const handler = async (event, context) => `${context.functionName} from other.mjs`;
