let release;
const gate = new Promise((done) => { release = done; });
const chained = gate.then((value) => `${value}, chained`);
async function* letters() {
  yield "a";
  yield await gate;
  yield "c";
}
const suspended = letters();
const first = await suspended.next();
let rest;

export const handler = async () => {
  release("opened");
  rest ??= Array.fromAsync(suspended);
  return { first: first.value, chained: await chained, rest: await rest };
};
