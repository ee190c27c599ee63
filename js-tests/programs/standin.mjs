// Stands in for the services whose SDKs the programs use: says on its first line where it listens, and answers with what
// it was sent, in the shape that the SDK expects. Ends when its standard input does.
import { createServer } from "node:http";

const seen = ["authorization", "content-type", "content-encoding", "accept"];
const json = (response, status, value, headers = {}) => {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
};
const chunk = (choice) => ({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, finish_reason: null, ...choice }] });
// Each event in two pieces, with a pause in the middle of its line.
const events = async (response, all) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const event of all) {
    const text = `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`;
    for (const part of [text.slice(0, 9), text.slice(9)]) {
      response.write(part);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
  response.end();
};

let busy = 0;
const routes = {
  "POST /v1/chat/completions": (request, response) => {
    const { stream, messages, tools } = JSON.parse(request.body);
    const { content } = messages.at(-1);
    if (content === "forbidden") return json(response, 401, { error: { message: "no such key", type: "invalid_request_error", code: "invalid_api_key" } });
    // Every other one is turned away.
    if (content === "busy" && busy++ % 2 === 0) return json(response, 429, { error: { message: "busy" } }, { "retry-after-ms": "1" });
    const call = { index: 0, id: "call_1", type: "function", function: { name: "weather", arguments: '{"city":"Köln"}' } };
    const turn = tools && messages.at(-1).role === "user";
    const message = turn ? { role: "assistant", content: null, tool_calls: [call] } : { role: "assistant", content: `you said: ${content}` };
    const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
    if (!stream) return json(response, 200, { id: "c", object: "chat.completion", created: 1, model: "m", choices: [{ index: 0, message, finish_reason: turn ? "tool_calls" : "stop" }], usage, request });
    const words = ["Grüße", ", ", "Welt", " \u{1f30d}"].map((word) => chunk({ delta: { content: word } }));
    return events(response, [chunk({ delta: { role: "assistant" } }), ...words, chunk({ delta: {}, finish_reason: "stop" }), "[DONE]"]);
  },
  "POST /v1/embeddings": (request, response) => {
    const vector = Buffer.from(new Float32Array([0.5, -1, 2]).buffer).toString("base64");
    json(response, 200, { object: "list", model: "e", data: [{ object: "embedding", index: 0, embedding: vector }], usage: { prompt_tokens: 1, total_tokens: 1 } });
  },
  "POST /v1/files": (request, response) => json(response, 200, { id: "file_1", object: "file", bytes: /\r\n\r\n(\{"a":1\}\n)\r\n/.exec(request.body)?.[1].length, named: /filename="a\.jsonl"/.test(request.body) }),
  "POST /v1/customers": (request, response) => json(response, 200, { id: "cus_1", object: "customer", email: new URLSearchParams(request.body).get("email"), request }),
  "GET /v1/customers": (request, response) => {
    const after = request.query.starting_after;
    const data = (after === undefined ? ["cus_1", "cus_2"] : ["cus_3"]).map((id) => ({ id, object: "customer" }));
    json(response, 200, { object: "list", url: "/v1/customers", has_more: after === undefined, data });
  },
  "POST /v1/charges": (request, response) => json(response, 402, { error: { type: "card_error", code: "card_declined", message: "Your card was declined.", decline_code: "generic_decline" } }, { "request-id": "req_1" }),
};

// What AWS answers, by X-Amz-Target or else as S3 does. Whether a signature is right, only AWS knows.
const aws = (request, response, target) => {
  if (!/^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/eu-west-1\/(s3|dynamodb)\/aws4_request, SignedHeaders=/.test(request.headers.authorization)) {
    return json(response, 403, { __type: "UnrecognizedClientException", message: "unsigned" });
  }
  if (target?.endsWith("GetItem")) return json(response, 200, { Item: { id: JSON.parse(request.body).Key.id, bytes: { B: "AQI=" } } });
  if (target?.endsWith("Query")) return json(response, 400, { __type: "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", message: "no such table" });
  if (target) return json(response, 200, {});
  const xml = (status, text) => response.writeHead(status, { "content-type": "application/xml" }).end(`<?xml version="1.0"?>${text}`);
  if (request.method === "PUT") return response.writeHead(200, { etag: `"${request.path}"` }).end();
  if (request.query["list-type"]) {
    return xml(200, "<ListBucketResult><Name>b</Name><Contents><Key>k &amp; k</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><Size>7</Size></Contents></ListBucketResult>");
  }
  if (request.path.endsWith("none")) return xml(404, "<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>");
  response.writeHead(200, { "content-type": "text/plain", "x-amz-meta-a": "b" }).end("content");
};

const server = createServer(async (message, response) => {
  const { pathname, searchParams } = new URL(message.url, "http://stand.in");
  const pieces = [];
  for await (const piece of message) pieces.push(piece);
  const headers = Object.fromEntries(seen.filter((name) => name in message.headers).map((name) => [name, message.headers[name]]));
  const request = { method: message.method, path: pathname, query: Object.fromEntries(searchParams), headers, body: Buffer.concat(pieces).toString() };
  const route = routes[`${message.method} ${pathname}`];
  if (route) await route(request, response);
  else if (message.headers["x-amz-date"]) aws(request, response, message.headers["x-amz-target"]);
  else json(response, 404, { error: { message: `nothing at ${pathname}`, request } });
});
// Connections are used again after the seconds in which other programs are tried.
server.keepAliveTimeout = 600_000;
server.listen(0, "127.0.0.1", () => console.log(`127.0.0.1:${server.address().port}`));
process.stdin.resume().on("end", () => process.exit(0));
