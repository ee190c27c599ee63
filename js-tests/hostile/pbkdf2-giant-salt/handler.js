// A salt that is hashed once for each block, in one call that nothing can interrupt.
import { pbkdf2Sync } from "node:crypto";

export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const blocks = 100_000;
  return pbkdf2Sync("a", new Uint8Array(16 << 20), 1, 16 * blocks, "md5").length === 16 * blocks ? "answered" : "cut";
};
