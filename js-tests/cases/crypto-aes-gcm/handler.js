export const handler = async () => {
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt", "decrypt"]);
  const algorithm = { name: "AES-GCM", iv: crypto.getRandomValues(new Uint8Array(12)) };
  const secret = await crypto.subtle.encrypt(algorithm, key, new TextEncoder().encode("for your eyes"));
  const clear = new TextDecoder().decode(await crypto.subtle.decrypt(algorithm, key, secret));
  const broken = new Uint8Array(secret);
  broken[0] ^= 1;
  const refused = await crypto.subtle.decrypt(algorithm, key, broken).catch((error) => error.name);
  return { length: secret.byteLength, clear, refused };
};
