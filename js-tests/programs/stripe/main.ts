import Stripe from "stripe";

export const handler = async (event: { queryStringParameters: { base: string } }) => {
  const { hostname, port } = new URL(event.queryStringParameters.base);
  const stripe = new Stripe("sk_test", { host: hostname, port, protocol: "http", httpClient: Stripe.createFetchHttpClient(), maxNetworkRetries: 0 });
  const customer = await stripe.customers.create({ email: "you@example.org", metadata: { a: "b ä&=" }, preferred_locales: ["de", "en"] });
  const listed: string[] = [];
  for await (const { id } of stripe.customers.list({ limit: 2 })) listed.push(id);
  const declined = await stripe.charges.create({ amount: 1, currency: "eur", source: "tok_x" }).catch((error) => {
    const { type, code, decline_code, statusCode, requestId, message } = error as InstanceType<typeof Stripe.errors.StripeCardError>;
    return { card: error instanceof Stripe.errors.StripeCardError, type, code, decline_code, statusCode, requestId, message };
  });
  const payload = JSON.stringify({ id: "evt_1", object: "event" });
  const header = await stripe.webhooks.generateTestHeaderStringAsync({ payload, secret: "whsec_x", timestamp: 1_700_000_000 });
  const signed = await stripe.webhooks.constructEventAsync(payload, header, "whsec_x", 1e12);
  const forged = await stripe.webhooks.constructEventAsync(`${payload} `, header, "whsec_x", 1e12).catch((error) => error.type);
  return { customer, listed, declined, header, event: signed.id, forged };
};
