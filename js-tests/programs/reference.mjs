// What plain Node answers: each program's `main`, translated by esbuild with its packages left outside, called with the
// events that a gateway would make of its requests, or with the requests where it exports `fetch`. `STAND_IN` in requests
// is the URL of standin.mjs. Prints {program: [{status, headers, body}]}.
import { build } from "esbuild";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Writable } from "node:stream";

// Node's own fetch first: cheerio brings another undici, which would serve all programs here otherwise.
await fetch("data:,");
process.env.NODE_ENV = "production";
process.env.TZ = "UTC";
process.env.GREETING = "hi";
const here = new URL(".", import.meta.url).pathname;
const names = readdirSync(here).filter((name) => existsSync(`${here}${name}/isle.toml`));

const event = (name, { method = "GET", path = "/", headers = {}, body }) => {
  const [rawPath, rawQueryString = ""] = path.split("?");
  headers = Object.fromEntries(Object.entries({ host: `${name}.localhost`, ...headers }).map(([name, value]) => [name.toLowerCase(), value]));
  const { cookie, ...rest } = headers;
  const http = { method, path: rawPath, protocol: "HTTP/1.1", sourceIp: "127.0.0.1", userAgent: "" };
  return {
    version: "2.0", routeKey: "$default", rawPath, rawQueryString, headers: rest, ...(cookie ? { cookies: cookie.split("; ") } : {}),
    ...(rawQueryString ? { queryStringParameters: Object.fromEntries(new URLSearchParams(rawQueryString)) } : {}),
    requestContext: { http, domainName: `${name}.localhost`, requestId: "r", stage: "$default" },
    ...(body === undefined ? {} : { body }), isBase64Encoded: false,
  };
};
const answer = (result) => {
  if (result === null || typeof result !== "object" || result.statusCode === undefined) {
    return { status: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(result) };
  }
  const headers = Object.fromEntries(Object.entries(result.headers ?? {}).filter(([, value]) => value !== undefined).map(([name, value]) => [name.toLowerCase(), `${value}`]));
  const body = result.isBase64Encoded ? Buffer.from(result.body, "base64").toString() : result.body ?? "";
  return { status: result.statusCode, headers, cookies: result.cookies ?? [], body };
};
// What a program that exports `fetch` answers.
const fetched = async (name, app, { path = "/", ...init }) => {
  const response = await app.fetch(new Request(`http://${name}.localhost${path}`, init), {}, { waitUntil() {} });
  const headers = Object.fromEntries([...response.headers].map(([name, value]) => [name.toLowerCase(), value]));
  return { status: response.status, headers, body: await response.text() };
};

// What Lambda's runtime gives handlers that stream, and what its client sees of it.
const PRELUDE = "application/vnd.awslambda.http-integration-response";
class ResponseStream extends Writable {
  contentType = "application/octet-stream";
  pieces = [];
  setContentType(contentType) {
    this.contentType = contentType;
  }
  _write(chunk, encoding, done) {
    this.pieces.push(chunk);
    setImmediate(done);
  }
}
globalThis.awslambda = {
  streamifyResponse: (handler) => Object.assign(handler, { streams: true }),
  HttpResponseStream: {
    from(stream, metadata) {
      stream.setContentType(PRELUDE);
      stream.write(`${JSON.stringify(metadata)}${"\0".repeat(8)}`);
      return stream;
    },
  },
};
const streamed = async (handler, event, context) => {
  const stream = new ResponseStream().on("error", () => {});
  try {
    await handler(event, stream, context);
  } catch {
    return { status: 500, headers: {}, body: '{"message":"Internal Server Error"}' };
  }
  if (!stream.writableFinished) await new Promise((resolve) => stream.once("finish", resolve));
  const text = Buffer.concat(stream.pieces).toString();
  if (stream.contentType !== PRELUDE) return { status: 200, headers: { "content-type": stream.contentType }, body: text };
  const [metadata, body] = text.split("\0".repeat(8));
  return answer({ ...JSON.parse(metadata), body });
};

const all = {};
for (const name of names) {
  const entry = readdirSync(`${here}${name}`).find((file) => file.startsWith("main."));
  const outfile = `${here}node_modules/.reference/${name}.mjs`;
  await build({ entryPoints: [`${here}${name}/${entry}`], outfile, bundle: true, packages: "external", platform: "node", format: "esm", jsx: "automatic", logLevel: "error" });
  const { handler, default: app } = await import(outfile);
  const requests = existsSync(`${here}${name}/requests.json`) ? JSON.parse(readFileSync(`${here}${name}/requests.json`, "utf8").replaceAll("STAND_IN", process.env.STAND_IN)) : [{}];
  all[name] = [];
  for (const request of requests) {
    const context = { awsRequestId: "r", functionName: "main", callbackWaitsForEmptyEventLoop: true, getRemainingTimeInMillis: () => 1000 };
    if (handler?.streams) all[name].push(await streamed(handler, event(name, request), context));
    else all[name].push(handler ? answer(await handler(event(name, request), context)) : await fetched(name, app, request));
  }
}
process.stdout.write(JSON.stringify(all), () => process.exit(0));
