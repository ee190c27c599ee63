import { buildSchema, graphql, introspectionFromSchema, printSchema } from "graphql";

const schema = buildSchema(`
  type Query { hello(name: String = "you"): String! users: [User!]! broken: Int }
  type User { id: ID! name: String friends: [User!]! }
`);
const user = (id: number): object => ({ id, name: `user ${id}`, friends: () => [user(id + 1)] });
const rootValue = {
  hello: ({ name }: { name: string }) => `hello ${name}`,
  users: async () => [user(1), user(2)],
  broken: () => {
    throw new Error("broken");
  },
};
export const handler = async (event: { body: string }) => ({
  result: await graphql({ schema, rootValue, source: event.body }),
  schema: printSchema(schema),
  types: introspectionFromSchema(schema).__schema.types.length,
});
