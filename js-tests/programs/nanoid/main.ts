import { customAlphabet, nanoid, urlAlphabet } from "nanoid";
import { v4, v5, validate } from "uuid";

export const handler = async () => {
  const ids = Array.from({ length: 100 }, () => nanoid());
  return {
    length: ids[0].length, distinct: new Set(ids).size, alphabet: ids.every((id) => [...id].every((c) => urlAlphabet.includes(c))),
    custom: /^[ab]{12}$/.test(customAlphabet("ab", 12)()), v4: validate(v4()), v5: v5("isle", v5.DNS),
  };
};
