// A shopping cart that lives in a cookie.
//   GET    /cart          what is in it
//   POST   /cart/{item}   puts one more into it
//   DELETE /cart          empties it
import prices from "./prices.json" with { type: "json" };

export const handler = async (event) => {
  const items = read(event.cookies);
  switch (event.requestContext.http.method) {
    case "GET":
      return answer(200, items);
    case "DELETE":
      return answer(200, [], "cart=; Path=/cart; Max-Age=0");
    default: {
      const { item } = event.pathParameters;
      if (!Object.hasOwn(prices, item)) {
        return { statusCode: 404, body: JSON.stringify({ message: `We sell ${Object.keys(prices).join(", ")}` }) };
      }
      items.push(item);
      return answer(201, items, `cart=${items.join(".")}; Path=/cart; Max-Age=86400; HttpOnly; SameSite=Lax`);
    }
  }
};

// Whatever the browser sends may have been changed there: only what we sell counts.
const read = (cookies = []) => {
  const cookie = cookies.find((cookie) => cookie.startsWith("cart="))?.slice("cart=".length) ?? "";
  return cookie.split(".").filter((item) => Object.hasOwn(prices, item)).slice(0, 99);
};

const answer = (statusCode, items, cookie) => ({
  statusCode,
  cookies: cookie ? [cookie] : [],
  body: JSON.stringify({ items, total: items.reduce((sum, item) => sum + prices[item], 0) }),
});
