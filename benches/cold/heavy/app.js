// A page out of a big bundle: GraphQL over a table, checked by zod, rendered by react-dom/server. Everything is made at
// the top level, as such bundles do.
import { graphql } from "graphql";
import { createElement } from "react";
import { renderToString } from "react-dom/server.edge";
import { Page } from "./page.js";
import { Orders, Query } from "./schemas.js";
import { schema } from "./schema.js";

const ORDERS = `query Orders($country: Country!, $first: Int!) {
  total(country: $country)
  orders(country: $country, first: $first) {
    id placed status
    customer { name country }
    lines { sku name quantity price }
  }
}`;

export const app = {
  async fetch(request) {
    const url = new URL(request.url);
    const asked = Query.safeParse(Object.fromEntries(url.searchParams));
    if (!asked.success) return Response.json({ error: asked.error.issues }, { status: 400 });
    const { data, errors } = await graphql({ schema, source: ORDERS, variableValues: asked.data });
    if (errors) return Response.json({ errors }, { status: 500 });
    const orders = Orders.parse(data);
    const html = renderToString(createElement(Page, { country: asked.data.country, ...orders }));
    return new Response(`<!doctype html>${html}`, { headers: { "content-type": "text/html;charset=UTF-8" } });
  },
};
