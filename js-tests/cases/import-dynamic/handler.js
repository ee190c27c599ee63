// Loaded at the first request that asks, once.
export const handler = async (event) => {
  const name = event.queryStringParameters?.page ?? "home";
  const page = await import(`./pages/${name}.js`);
  const again = await import(`./pages/${name}.js`);
  return { title: page.title, same: page === again };
};
