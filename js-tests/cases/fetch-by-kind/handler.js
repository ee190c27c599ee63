export const handler = async () => "from handler";
export default { fetch: () => new Response("from fetch") };
