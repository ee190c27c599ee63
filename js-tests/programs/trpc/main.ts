import { initTRPC, TRPCError } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { z } from "zod";

const t = initTRPC.context<{ user: string | null }>().create();
const router = t.router({
  hello: t.procedure.input(z.object({ name: z.string() })).query(({ input, ctx }) => `hi ${input.name} and ${ctx.user}`),
  add: t.procedure.input(z.tuple([z.number(), z.number()])).mutation(({ input: [a, b] }) => a + b),
  fail: t.procedure.query(() => {
    throw new TRPCError({ code: "FORBIDDEN", message: "no" });
  }),
  ticks: t.procedure.subscription(async function* () {
    yield 1;
    await new Promise((resolve) => setTimeout(resolve, 1));
    yield 2;
  }),
  parts: t.procedure.query(async function* () {
    yield "a";
    yield "b";
  }),
});

export default {
  fetch: (req: Request) => fetchRequestHandler({ endpoint: "/trpc", req, router, createContext: () => ({ user: req.headers.get("x-user") }) }),
};
