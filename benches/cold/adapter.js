// Makes an Isle handler of anything that answers a Request with a Response.
export const adapt = (fetch) => async (event) => {
  const { domainName, http } = event.requestContext;
  const url = `http://${domainName}${event.rawPath}${event.rawQueryString ? `?${event.rawQueryString}` : ""}`;
  const body = event.isBase64Encoded ? Uint8Array.from(atob(event.body), (c) => c.charCodeAt(0)) : event.body;
  const response = await fetch(new Request(url, { method: http.method, headers: event.headers, body }));
  return {
    statusCode: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  };
};
