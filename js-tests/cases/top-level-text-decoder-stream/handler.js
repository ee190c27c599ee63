const decoder = new TextDecoder();
const half = decoder.decode(new Uint8Array([0xe2, 0x82]), { stream: true });
let rest = null;

export const handler = () => {
  rest ??= decoder.decode(new Uint8Array([0xac]));
  return { half, rest };
};
