import jwt from "jsonwebtoken";

export const handler = async () => {
  const token = jwt.sign({ a: 1, iat: 1_700_000_000 }, "secret", { issuer: "isle", algorithm: "HS512" });
  const wrong = (check: () => unknown) => {
    try {
      return check();
    } catch (error) {
      return `${(error as Error).name}: ${(error as Error).message}`;
    }
  };
  return {
    token, verified: jwt.verify(token, "secret"), decoded: jwt.decode(token, { complete: true }),
    forged: wrong(() => jwt.verify(token, "other")), expired: wrong(() => jwt.verify(jwt.sign({ exp: 1 }, "secret"), "secret")),
  };
};
