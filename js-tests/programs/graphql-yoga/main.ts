import { createSchema, createYoga } from "graphql-yoga";
import { type Event, fromResponse, toRequest } from "../lambda";

const yoga = createYoga({
  schema: createSchema({
    typeDefs: "type Query { hello(name: String): String! } type Mutation { add(a: Int!, b: Int!): Int! }",
    resolvers: {
      Query: { hello: (_: unknown, { name }: { name?: string }) => `hello ${name ?? "you"}` },
      Mutation: { add: (_: unknown, { a, b }: { a: number; b: number }) => a + b },
    },
  }),
  logging: false,
});
export const handler = async (event: Event) => fromResponse(await yoga.fetch(toRequest(event)));
