// Work outside the CPU clock has a limit, whatever its numbers turn into when they are read again.
const { subtle } = crypto;
const name = (error) => error.name;
const made = (promise) => promise.then(() => "made", name);
const turning = (...values) => ({ valueOf: () => values.length > 1 ? values.shift() : values[0] });
const salt = new Uint8Array(16);
const pbkdf2 = (iterations, hash = "SHA-512", more = {}) => ({ name: "PBKDF2", hash, salt, iterations, ...more });

export const handler = async () => {
  const key = await subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits", "deriveKey"]);
  const bits = (algorithm, length) => made(subtle.deriveBits(algorithm, key, length));
  const hmac = (algorithm, type) => made(subtle.deriveKey(algorithm, key, { name: "HMAC", hash: "SHA-256", ...type }, false, ["sign"]));
  const disguised = Object.defineProperties(() => {}, Object.getOwnPropertyDescriptors({ ...pbkdf2(4_294_967_295) }));
  const rsa = { name: "RSA-PSS", hash: "SHA-256", publicExponent: Uint8Array.of(1, 0, 1) };
  return {
    small: [await bits(pbkdf2(1_000), 1_024), await bits(pbkdf2(1_000, { name: "SHA-256" }), 256), await hmac(pbkdf2(1_000), {})],
    long: [await bits(pbkdf2(1_000_000), 8 * (8 << 20)), await hmac(pbkdf2(1_000_000), { length: 8 * (8 << 20) })],
    turning: [
      await bits(pbkdf2(turning(1, 4_294_967_295)), 512), // is 1
      await bits(pbkdf2(turning(4_294_967_295, 1)), 512),
      await bits(pbkdf2(1_000_000), turning(8 * (8 << 20), 8)),
      await hmac(pbkdf2(1_000_000), { length: turning(8 * (8 << 20), 8) }),
      await made(subtle.generateKey({ ...rsa, modulusLength: turning(1 << 16, 512) }, false, ["sign"])),
      await made(subtle.generateKey({ ...rsa, modulusLength: -1 }, false, ["sign"])),
    ],
    salted: await bits(pbkdf2(1, "SHA-512", { salt: new Uint8Array(8 << 20) }), 512 * 16),
    disguised: await bits(disguised, 512),
  };
};
