// An order of 1,024 bytes as JSON, made anew for every request; the text is in ../record.json.
export const record = () => ({
  order: "8f14e45f-ceea-467f-a8f1-0c1e6d2b7a90",
  placed: "2026-03-14T09:26:53.589Z",
  customer: {
    id: 48213,
    name: "Ada Lovelace",
    mail: "ada@example.com",
    newsletter: false,
    address: { street: "12 St James Square", city: "London", postcode: "SW1Y 4JH", country: "GB" },
  },
  lines: [
    {
      sku: "AE-1840",
      name: "Analytical engine, brass",
      quantity: 1,
      price: 1299.5,
      tags: ["stock"],
    },
    {
      sku: "AE-1847",
      name: "Punched cards, box of 500",
      quantity: 2,
      price: 649.75,
      tags: ["sale", "new"],
    },
    {
      sku: "AE-1854",
      name: "Jacquard loom, second hand",
      quantity: 3,
      price: 433.17,
      tags: ["stock"],
    },
    {
      sku: "AE-1861",
      name: "Lamp oil, one gallon",
      quantity: 4,
      price: 324.88,
      tags: ["sale", "new"],
    },
    { sku: "AE-1868", name: "Notebook, ruled", quantity: 5, price: 259.9, tags: ["stock"] },
 ],
  totals: { net: 3181.67, tax: 636.33, gross: 3818, currency: "GBP", rate: 0.2 },
  notes: "Leave with the porter. Leave with the porter. Leave with the porter. Leave with the porter. Leave with the porter. Leave with the porter. Leave with the porter. Leave with",
});
