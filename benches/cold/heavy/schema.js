// The GraphQL side, in the schema language, validated when the module is evaluated.
import { buildSchema, validateSchema } from "graphql";
import { byCountry, COUNTRIES, STATUSES, table } from "./table.js";

const entities = ["Invoice", "Shipment", "Refund", "Coupon", "Review", "Supplier", "Warehouse", "Carrier", "Ticket"];

// The rest of a shop: types that this page does not ask for, but that every real schema has.
const rest = entities.map(
  (name) => `
  type ${name} { id: ID! placed: Int! note: String order: Order tags: [String!]! parts: [${name}Part!]! }
  type ${name}Part { id: ID! quantity: Int! price: Int! parent: ${name}! }
  input ${name}Filter { id: ID placed: Int note: String tags: [String!] first: Int = 10 }
  type ${name}Page { nodes: [${name}!]! total: Int! next: ID }`,
);

export const schema = buildSchema(`
  enum Country { ${COUNTRIES.join(" ")} }
  enum Status { ${STATUSES.join(" ")} }
  type Customer { name: String! country: Country! }
  type Line { sku: String! name: String! quantity: Int! price: Int! }
  type Order { id: ID! placed: Int! status: Status! customer: Customer! lines: [Line!]! }
  ${rest.join("\n")}
  type Query {
    total(country: Country!): Int!
    orders(country: Country!, first: Int! = 10): [Order!]!
    order(id: ID!): Order
    ${entities.map((name) => `${name.toLowerCase()}s(filter: ${name}Filter): ${name}Page!`).join("\n")}
  }
`);

const mistakes = validateSchema(schema);
if (mistakes.length > 0) throw mistakes[0];

const byId = new Map(table.map((order) => [order.id, order]));
const { total, orders, order } = schema.getQueryType().getFields();
total.resolve = (_, { country }) => byCountry.get(country).length;
orders.resolve = (_, { country, first }) => byCountry.get(country).slice(0, first);
order.resolve = (_, { id }) => byId.get(id);
