// An event may be changed freely: the next request gets a fresh one.
export const handler = async (event, context) => {
  const clean = event.mark === undefined && event.headers.mark === undefined && context.mark === undefined;
  event.mark = event.headers.mark = context.mark = 1;
  return { clean };
};
