const hex = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, "0")).join("");
export const handler = async () => {
  const data = new TextEncoder().encode("abc");
  const digests = {};
  for (const name of ["SHA-1", "SHA-256", "SHA-384"]) digests[name] = hex(await crypto.subtle.digest(name, data)).slice(0, 16);
  return digests;
};
