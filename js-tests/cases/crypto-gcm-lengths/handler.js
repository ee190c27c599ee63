// Every length of tag and of initialisation vector that the standard allows.
export const handler = async () => {
  const raw = Uint8Array.from({ length: 32 }, (_, i) => i);
  const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
  const text = new TextEncoder().encode("a secret of some length");
  const additionalData = new TextEncoder().encode("label");
  const answers = [];
  for (const bytes of [1, 12, 16, 32]) {
    for (const tagLength of [32, 96, 128]) {
      const algorithm = { name: "aes-gcm", iv: raw.subarray(0, bytes), tagLength, additionalData };
      const sealed = await crypto.subtle.encrypt(algorithm, key, text);
      const opened = await crypto.subtle.decrypt(algorithm, key, sealed);
      new Uint8Array(sealed)[0] ^= 1;
      const altered = await crypto.subtle.decrypt(algorithm, key, sealed).catch((error) => error.name);
      answers.push(`${sealed.byteLength - text.length} ${new TextDecoder().decode(opened)} ${altered}`);
    }
  }
  const wrong = await crypto.subtle.encrypt({ name: "AES-GCM", iv: raw, tagLength: 33 }, key, text).catch((e) => e.name);
  return { answers, wrong };
};
