// What a program does to the language before it first looks at `crypto` takes none of its limits away.
const iterators = Object.getPrototypeOf([][Symbol.iterator]());
const { next } = iterators;
const iterate = Array.prototype[Symbol.iterator];
const { call, apply } = Function.prototype;
Array.prototype[Symbol.iterator] = () => ({ next: () => ({ done: true }) });
iterators.next = () => ({ done: true });
Function.prototype.call = Function.prototype.apply = () => undefined;
const subtle = globalThis.crypto.subtle;
Array.prototype[Symbol.iterator] = iterate;
iterators.next = next;
Function.prototype.call = call;
Function.prototype.apply = apply;

export const handler = async () => {
  const key = await subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]);
  const algorithm = { name: "PBKDF2", hash: "SHA-256", salt: new Uint8Array(8), iterations: 100_000_000 };
  const name = (error) => error.name;
  return {
    derived: await subtle.deriveBits(algorithm, key, 256).then(() => "made", name),
    hidden: [CryptoKey, Crypto, SubtleCrypto].flatMap((type) =>
      ["importSync", "exportNodeMaterial", "fromCloneData", "create", "registerSymbols"].filter((member) => member in type)
    ),
    large: (() => {
      try {
        return crypto.getRandomValues(new Uint8Array(65_537)).length;
      } catch (error) {
        return error.name;
      }
    })(),
  };
};
