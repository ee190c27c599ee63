const there = typeof Temporal;
const day = there === "undefined" ? null : Temporal.PlainDate.from("2024-02-29").add({ years: 1 }).toString();

export const handler = () => ({ there, day, now: typeof Temporal });
