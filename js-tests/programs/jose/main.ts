import * as jose from "jose";

const secret = new TextEncoder().encode("0123456789abcdef0123456789abcdef");
export const handler = async () => {
  const token = await new jose.SignJWT({ a: 1 }).setProtectedHeader({ alg: "HS256" }).setIssuedAt(1_700_000_000).setIssuer("isle").sign(secret);
  const { payload } = await jose.jwtVerify(token, secret, { issuer: "isle" });
  const sealed = await new jose.EncryptJWT({ b: 2 }).setProtectedHeader({ alg: "dir", enc: "A128CBC-HS256" }).encrypt(secret);
  const opened = await jose.jwtDecrypt(sealed, secret);
  const { publicKey, privateKey } = await jose.generateKeyPair("ES256", { extractable: true });
  const jws = await new jose.CompactSign(Buffer.from("text")).setProtectedHeader({ alg: "ES256" }).sign(privateKey);
  const verified = await jose.compactVerify(jws, publicKey);
  const wrong = await jose.jwtVerify(`${token}x`, secret).catch((error) => error.code);
  const thumbprint = await jose.calculateJwkThumbprint({ kty: "oct", k: "c2VjcmV0" });
  return { token, payload, opened: opened.payload, text: Buffer.from(verified.payload).toString(), wrong, thumbprint };
};
