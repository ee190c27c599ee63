import { finished, once, pipeline as pipelineCallback, type PipelineCallback } from "./parts";
import { Duplex, PassThrough, Readable, Transform, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createGunzip, createGzip } from "node:zlib";

type Out = Writable & { setContentType(type: string): void };
declare const awslambda: {
  streamifyResponse(handler: (event: { rawPath: string; body?: string }, out: Out, context: object) => Promise<void>): unknown;
  HttpResponseStream: { from(out: Out, metadata: object): Out };
};

const upper = () => new Transform({ transform: (chunk, _encoding, done) => done(null, String(chunk).toUpperCase()) });
async function* numbers(count: number) {
  for (let n = 0; n < count; n++) {
    if (n % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 1));
    yield `${n}\n`;
  }
}

const routes: Record<string, (out: Out, body: string) => Promise<unknown>> = {
  "/text": (out) => pipeline(Readable.from(["grüße ", Buffer.from("buffer "), "end"]), out),
  "/body": (out, body) => {
    out.setContentType("text/plain");
    return pipeline(Readable.from(Buffer.from(body)), upper(), out);
  },
  "/generator": (out) => pipeline(numbers(200), out),
  "/generators": (out) => {
    const doubled = async function* (source: AsyncIterable<Buffer>) {
      for await (const chunk of source) yield `${Number(chunk) * 2} `;
    };
    return pipeline(numbers(20), doubled, out);
  },
  // Objects in between.
  "/objects": (out) => {
    const toLine = new Transform({ writableObjectMode: true, transform: (value, _encoding, done) => done(null, JSON.stringify(value) + "\n") });
    return pipeline(Readable.from([{ a: 1 }, { b: [null, "ü"] }]), toLine, out);
  },
  "/metadata": (out) => {
    const stream = awslambda.HttpResponseStream.from(out, { statusCode: 203, headers: { "Content-Type": "text/csv", "X-Rows": 2 }, cookies: ["a=1; Path=/", "b=2"] });
    return pipeline(Readable.from(["a,b\n", "1,2\n"]), stream);
  },
  "/zipped": (out) => pipeline(numbers(3000), createGzip(), createGunzip(), out),
  "/callback": (out) => promisify(pipelineCallback as (...args: [...unknown[], PipelineCallback]) => void)(numbers(3), upper(), out),
  // Slower out than in: `write` says false and `drain` comes.
  async "/drain"(out) {
    let drains = 0;
    for (let n = 0; n < 40; n++) {
      if (!out.write(Buffer.alloc(8192, 97 + n % 26))) {
        await once(out, "drain");
        drains++;
      }
    }
    out.end(`|${drains > 0}|${out.writableEnded}|${out.writableObjectMode}`);
    await finished(out);
  },
  async "/events"(out) {
    const told: string[] = [];
    out.once("finish", () => told.push("finish"));
    out.write("first ", "utf8", () => told.push("written"));
    out.write("c2Vjb25kIA==", "base64");
    await new Promise<void>((resolve) => out.end("third", () => resolve(void told.push("end"))));
    if (!told.includes("written") || !told.includes("end")) throw new Error(told.join());
  },
  async "/web"(out) {
    const web = new Response("from the web").body!.pipeThrough(new TransformStream());
    await pipeline(Readable.fromWeb(web as never), out);
  },
  async "/web-pipe"(out) {
    const { writable, readable } = new TransformStream<string, string>();
    const writer = writable.getWriter();
    void writer.write("through ").then(() => writer.write("a transform")).then(() => writer.close());
    await pipeline(Duplex.from(readable as never), out);
  },
  async "/piped"(out) {
    const middle = new PassThrough();
    middle.pipe(out);
    middle.write("piped ");
    middle.end("on");
    await finished(out);
  },
  async "/iterated"(out) {
    const source = Readable.from(numbers(5)).map((line: string) => line.trim()).filter((line: string) => line !== "2");
    for await (const line of source) out.write(`<${line}>`);
    out.end();
  },
  // The source fails before anything was written: the client gets an error.
  async "/failing"(out) {
    const source = new Readable({ read() { this.destroy(new RangeError("no source")); } });
    await pipeline(source, out);
  },
  async "/caught"(out) {
    const source = new Readable({ read() { this.destroy(new RangeError("no source")); } });
    const middle = new PassThrough();
    const error = await pipeline(source, middle).catch((error: Error) => error);
    out.end(`${(error as Error).name}: ${(error as Error).message}, ${middle.destroyed}`);
  },
};

export const handler = awslambda.streamifyResponse(async (event, out) => {
  await routes[event.rawPath](out, event.body ?? "");
});
