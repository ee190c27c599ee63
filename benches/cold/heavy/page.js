// The page, without JSX, so that the source is what runs.
import { createElement as h, useMemo } from "react";

const Line = ({ line }) =>
  h("li", { className: "line" }, `${line.quantity} × `, h("b", null, line.name), ` at ${(line.price / 100).toFixed(2)}`);

const Order = ({ order }) => {
  const sum = useMemo(() => order.lines.reduce((sum, line) => sum + line.quantity * line.price, 0), [order]);
  return h(
    "article",
    { id: order.id, className: `order ${order.status.toLowerCase()}` },
    h("h2", null, order.customer.name),
    h("ul", null, order.lines.map((line, at) => h(Line, { key: at, line }))),
    h("p", null, "Sum: ", (sum / 100).toFixed(2)),
  );
};

export const Page = ({ country, total, orders }) =>
  h(
    "html",
    { lang: "en" },
    h("head", null, h("title", null, `Orders of ${country}`)),
    h(
      "body",
      null,
      h("h1", null, `${orders.length} of ${total} orders`),
      orders.map((order) => h(Order, { key: order.id, order })),
    ),
  );
