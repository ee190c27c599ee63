// A page for whoever the path names: GET /hello/{name}
import { page } from "./page.js";

export const handler = async (event) => {
  const name = event.pathParameters?.name ?? "stranger";
  console.log(`greeting ${name}`);
  return {
    statusCode: 200,
    headers: { "content-type": "text/html; charset=utf-8" },
    body: page(`Hello, ${name}!`, `You came by ${event.requestContext.http.method} ${event.rawPath}.`),
  };
};
