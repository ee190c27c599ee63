import { Ajv } from "ajv";

const ajv = new Ajv({ allErrors: true });
const validate = ajv.compile({
  type: "object",
  required: ["name"],
  additionalProperties: false,
  properties: { name: { type: "string", pattern: "^[a-z]+$" }, n: { type: "integer", minimum: 1 } },
});
export const handler = async (event: { body: string }) => ({ valid: validate(JSON.parse(event.body)), errors: validate.errors });
