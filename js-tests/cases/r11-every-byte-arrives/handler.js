export const handler = async (event) => {
  const bytes = Uint8Array.from(atob(event.body), (c) => c.charCodeAt(0));
  return { length: bytes.length, inOrder: bytes.every((byte, i) => byte === i) };
};
