// Between a Lambda event and the web's Request and Response, for programs that speak these.
export interface Event {
  rawPath: string;
  rawQueryString: string;
  headers: Record<string, string>;
  body?: string;
  isBase64Encoded: boolean;
  queryStringParameters?: Record<string, string>;
  requestContext: { http: { method: string } };
}

export function toRequest(event: Event): Request {
  const query = event.rawQueryString === "" ? "" : `?${event.rawQueryString}`;
  const body = event.body === undefined ? undefined : Buffer.from(event.body, event.isBase64Encoded ? "base64" : "utf8");
  const { method } = event.requestContext.http;
  return new Request(`http://program.test${event.rawPath}${query}`, { method, headers: event.headers, body });
}

export async function fromResponse(response: Response) {
  return { statusCode: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
}
