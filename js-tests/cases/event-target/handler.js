class Meter extends EventTarget {
  read(value) {
    return this.dispatchEvent(new CustomEvent("reading", { detail: value, cancelable: true }));
  }
}
export const handler = async () => {
  const seen = [];
  const meter = new Meter();
  meter.addEventListener("reading", (event) => seen.push(event.detail));
  meter.addEventListener("reading", (event) => event.preventDefault(), { once: true });
  const plain = new Event("x", { bubbles: true });
  return { answers: [meter.read(1), meter.read(2)], seen, type: plain.type, bubbles: plain.bubbles };
};
