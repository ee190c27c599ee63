import middy from "@middy/core";
import cors from "@middy/http-cors";
import errorHandler from "@middy/http-error-handler";
import normalizer from "@middy/http-header-normalizer";
import jsonBody from "@middy/http-json-body-parser";
import security from "@middy/http-security-headers";
import validator from "@middy/validator";
import { transpileSchema } from "@middy/validator/transpile";

const eventSchema = {
  type: "object",
  required: ["body"],
  properties: { body: { type: "object", required: ["name"], properties: { name: { type: "string", minLength: 2 } } } },
};
export const handler = middy()
  .use(normalizer())
  .use(jsonBody())
  .use(validator({ eventSchema: transpileSchema(eventSchema) }))
  .use(cors({ origin: "*" }))
  .use(security())
  .use(errorHandler({ logger: false }))
  .handler(async (event: { body: { name: string } }) => ({ statusCode: 200, body: JSON.stringify({ hello: event.body.name }) }));
