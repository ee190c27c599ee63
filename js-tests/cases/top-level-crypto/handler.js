const { subtle } = crypto;
const draw = () => crypto.getRandomValues(new Uint8Array(8)).join();
const first = draw();
const id = crypto.randomUUID();

export const handler = async () => ({
  differs: draw() !== first,
  uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id) && id !== crypto.randomUUID(),
  same: subtle === crypto.subtle,
  digest: new Uint8Array(await subtle.digest("SHA-256", new TextEncoder().encode("abc"))).slice(0, 4).join(),
});
