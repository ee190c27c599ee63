class Mine extends Error {
  name = "Mine";
}
const early = new Mine("made at the top", { cause: new TypeError("below") });
const stack = early.stack.split("\n")[0];

export const handler = () => {
  const late = new Mine("made in the handler");
  return {
    early: [early.name, early.message, early.cause.message, early.stack.split("\n")[0]],
    stack,
    late: late.stack.includes("handler.js"),
  };
};
