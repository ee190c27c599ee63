import { createSchema, createYoga } from "graphql-yoga";

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
export default yoga;
