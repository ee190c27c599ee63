import Stripe from "stripe";

export const handler = async () => {
  const requests: object[] = [];
  const fetch = async (url: string, init: RequestInit) => {
    const headers = new Headers(init.headers);
    requests.push({ url, method: init.method, body: init.body, authorization: headers.get("authorization"), type: headers.get("content-type") });
    return Response.json({ id: "cus_1", object: "customer", email: "you@example.org" });
  };
  const stripe = new Stripe("sk_test", { httpClient: Stripe.createFetchHttpClient(fetch as typeof globalThis.fetch), host: "stand.in" });
  const customer = await stripe.customers.create({ email: "you@example.org", metadata: { a: "b" } });
  const payload = JSON.stringify({ id: "evt_1", object: "event" });
  const header = await stripe.webhooks.generateTestHeaderStringAsync({ payload, secret: "whsec_x", timestamp: 1_700_000_000 });
  const event = await stripe.webhooks.constructEventAsync(payload, header, "whsec_x", 1e12);
  return { requests, email: customer.email, header, event: event.id };
};
