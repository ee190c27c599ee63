export const handler = async () => {
  const headers = new Headers({ "X-B": "2", "x-a": "1" });
  headers.append("x-b", "3");
  headers.append("set-cookie", "a=1");
  headers.append("set-cookie", "b=2");
  const bad = [];
  for (const [name, value] of [["bad name", "x"], ["x", "a\r\nb"]]) {
    try {
      headers.set(name, value);
    } catch (error) {
      bad.push(error.name);
    }
  }
  return { entries: [...headers], cookies: headers.getSetCookie(), has: headers.has("X-A"), bad };
};
