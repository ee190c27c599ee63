import { z } from "zod";

const User = z.object({
  name: z.string().min(2),
  email: z.email(),
  age: z.coerce.number().int().positive().optional(),
  tags: z.array(z.enum(["a", "b"])).default([]),
  when: z.iso.datetime().transform((text) => new Date(text).getTime()),
}).refine((user) => user.name !== "root", "not root");
export const handler = async (event: { body: string }) => {
  const read = User.safeParse(JSON.parse(event.body));
  return read.success ? { user: read.data } : { issues: read.error.issues, tree: z.treeifyError(read.error), schema: z.toJSONSchema(User, { io: "input" }) };
};
