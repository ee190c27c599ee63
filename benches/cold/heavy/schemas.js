// The zod side: what is asked and what is shown, beside the forms that such an app has as well.
import { z } from "zod";
import { COUNTRIES, STATUSES } from "./table.js";

const Country = z.enum(COUNTRIES);

export const Query = z.object({
  country: Country.default("GB"),
  first: z.coerce.number().int().min(1).max(100).default(10),
});

const Line = z.object({
  sku: z.string().regex(/^G-\d+$/),
  name: z.string().min(1),
  quantity: z.number().int().positive(),
  price: z.number().int().nonnegative(),
});

const Order = z.object({
  id: z.string().startsWith("order-"),
  placed: z.number().int(),
  status: z.enum(STATUSES),
  customer: z.object({ name: z.string().min(1), country: Country }),
  lines: z.array(Line).min(1),
});

export const Orders = z.object({ total: z.number().int(), orders: z.array(Order) });

const Address = z.object({ street: z.string(), city: z.string(), postcode: z.string().max(12), country: Country });

const fields = ["billing", "delivery", "gift", "returns", "company", "friend", "branch", "depot"];

export const forms = Object.fromEntries(
  fields.map((name) => [
    name,
    z.object({
      kind: z.literal(name),
      address: Address,
      mail: z.email(),
      site: z.url().optional(),
      phone: z.string().regex(/^\+?[\d ]{6,20}$/).optional(),
      orders: z.array(Order.omit({ lines: true })).default([]),
      choice: z.discriminatedUnion("by", [
        z.object({ by: z.literal("card"), number: z.string().length(16), until: z.string() }),
        z.object({ by: z.literal("invoice"), reference: z.uuid() }),
      ]),
    }),
  ]),
);
