// Node's modules, compared answer by answer with Node's own.
import assert from "node:assert";
import { AsyncLocalStorage } from "node:async_hooks";
import { Buffer } from "node:buffer";
import { Console } from "node:console";
import crypto from "node:crypto";
import diagnostics from "node:diagnostics_channel";
import { EventEmitter, once } from "node:events";
import path from "node:path";
import punycode from "punycode";
import querystring from "node:querystring";
import { Duplex, finished, PassThrough, Readable, Transform, Writable } from "node:stream";
import { buffer as consume, json, text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { StringDecoder } from "node:string_decoder";
import timers from "node:timers/promises";
import url from "node:url";
import util from "node:util";
import zlib from "node:zlib";

const said = (run: () => unknown) => {
  try {
    return run();
  } catch (error) {
    const { name, code } = error as { name: string; code?: string };
    return `${name} ${code}`;
  }
};
const tests: Record<string, () => unknown> = {
  buffer() {
    const b = Buffer.from("h\u00e9llo w\u00f6rld \u{1f600}");
    const n = Buffer.alloc(16);
    n.writeUInt32BE(0xdeadbeef, 0);
    n.writeInt16LE(-2, 4);
    n.writeDoubleBE(1.5, 6);
    n.writeIntBE(-7, 14, 2);
    return {
      forms: ["utf8", "hex", "base64", "base64url", "latin1", "ascii", "utf16le"].map((e) => b.toString(e as BufferEncoding)),
      back: ["hex", "base64", "base64url", "latin1", "utf16le"].map((e) => Buffer.from(b.toString(e as BufferEncoding), e as BufferEncoding).toString()),
      odd: [Buffer.from("abcz12", "hex"), Buffer.from("YQ==YQ", "base64"), Buffer.from("a-_b", "base64"), Buffer.from([1, 257, -1])],
      numbers: [n, n.readUInt32BE(0), n.readInt16LE(4), n.readDoubleBE(6), n.readIntBE(14, 2), n.readUint8(3)],
      search: [b.indexOf("w"), b.indexOf("\u00f6"), b.lastIndexOf("l"), b.includes("zz"), b.indexOf(0x6c, 4), b.indexOf(Buffer.from("llo"))],
      parts: [b.slice(1, 4), b.subarray(-4), Buffer.concat([b, n], 20), Buffer.compare(b, n), b.equals(Buffer.from(b))],
      writes: [n.write("abc", 1), n.fill("xy", 4, 9), n.copy(b, 2, 0, 3), b.toString("utf8", 2, 5), Buffer.alloc(5, "ab").toString()],
      lengths: [Buffer.byteLength("\u00e9"), Buffer.byteLength("YQ==", "base64"), Buffer.isEncoding("UTF-8"), Buffer.isEncoding("x"), Buffer.isBuffer(new Uint8Array(1))],
      json: JSON.stringify(Buffer.from("a")),
      errors: [said(() => Buffer.from(5 as never)), said(() => n.readUInt8(99)), said(() => n.writeUInt8(300)), said(() => Buffer.from("a", "x" as never)), said(() => Buffer.alloc(-1))],
    };
  },
  async events() {
    const log: unknown[] = [];
    const e = new EventEmitter();
    e.on("newListener", (name) => log.push(["new", name]));
    e.once("a", (...args) => log.push(["once", ...args]));
    e.prependListener("a", () => log.push("first"));
    const returned = [e.emit("a", 1, 2), e.emit("a", 3), e.emit("none")];
    function Old(this: EventEmitter) {
      EventEmitter.call(this);
    }
    util.inherits(Old as never, EventEmitter);
    const old = new (Old as unknown as new () => EventEmitter)();
    old.on("x", (v) => log.push(["old", v]));
    old.emit("x", 1);
    setTimeout(() => e.emit("later", "v"), 1);
    return { log, returned, names: e.eventNames(), counts: [e.listenerCount("a"), EventEmitter.defaultMaxListeners], once: await once(e, "later"), error: said(() => e.emit("error", new TypeError("t"))) };
  },
  path: () => [
    path.join("/a", "..", "b", "./c/"), path.resolve("/a/b", "../c", "d"), path.relative("/a/b/c", "/a/d"), path.dirname("/a/b/"), path.basename("/a/b.txt", ".txt"),
    path.extname(".bashrc"), path.extname("a.b.c"), path.parse("/home/u/f.txt"), path.format({ dir: "/x", name: "f", ext: ".t" }), path.normalize("a//b/../../.."), path.normalize("/.."), path.isAbsolute("a"), path.posix.join("a", "b"), path.dirname("a"), path.dirname("/"), path.join(""),
  ],
  url: () => [
    ...["http://user:p%40ss@host.com:8080/p/a/t/h?query=string&a=1#hash", "/a?b=c", "//host/path", "mailto:a@b.c", "HTTP://EXAMPLE.com"].map((u) => ({ ...url.parse(u) })),
    { ...url.parse("/a?b=c&b=d", true).query }, url.format({ protocol: "https", host: "a.b", pathname: "x", query: { q: [1, 2] } }), url.resolve("/one/two/three", "four"), url.resolve("http://example.com/one", "/two"),
    url.fileURLToPath("file:///a%20b"), url.pathToFileURL("/a b#c").href, url.domainToASCII("espa\u00f1ol.com"),
  ],
  querystring: () => [
    { ...querystring.parse("a=1&b=2&a=3&c=%20x+y&d&=e&bad=%zz") }, querystring.stringify({ a: [1, "x y"], b: true, c: null, d: "\u00e9!" }), { ...querystring.parse("a:1;b:2", ";", ":") }, querystring.escape("a b&c!'()*"), querystring.unescape("%41+"),
  ],
  punycode: () => [punycode.toASCII("ma\u00f1ana.com"), punycode.toUnicode("xn--maana-pta.com"), punycode.encode("\u2603-\u2318"), punycode.decode("--dqo34k")],
  util: () => [
    util.format("%s %d %i %f %j %O %% x", "a", 1.5, 2.7, "3.1", { a: 1 }, [1]), util.format("%s", null, undefined, 5n, { a: 1 }), util.format(1, "a", { b: [1, { c: {} }] }),
    util.inspect({ a: 1, b: "x", c: [1, 2, { d: new Map([[1, 2]]) }], e: () => {}, f: Symbol("s"), g: null }), util.inspect("it's"), util.inspect(new Set([1])), util.inspect({ a: { b: { c: { d: 1 } } } }),
    util.isDeepStrictEqual({ a: [1, new Date(0)] }, { a: [1, new Date(0)] }), util.isDeepStrictEqual([1], ["1"]), util.types.isRegExp(/x/), util.types.isDate(new Date()), util.types.isPromise(Promise.resolve()), util.types.isUint8Array(Buffer.alloc(1)), util.types.isAsyncFunction(async () => {}),
    util.stripVTControlCharacters("\u001b[31mred\u001b[0m"), said(() => util.promisify(5 as never)),
  ],
  async promisify() {
    const read = util.promisify((a: number, done: (e: Error | null, v?: number) => void) => done(a < 0 ? new RangeError("neg") : null, a * 2));
    return [await read(4), await read(-1).catch((e) => e.message), await new Promise((resolve) => util.callbackify(async (v: number) => v + 1)(1, (e, v) => resolve([e, v])))];
  },
  assert: () => [
    said(() => assert(0)), said(() => assert.strictEqual(1, 2)), said(() => assert.deepStrictEqual({ a: [1] }, { a: [1] })), said(() => assert.deepEqual([1], ["1"])), said(() => assert.throws(() => { throw new TypeError("x"); }, TypeError)),
    said(() => assert.throws(() => {})), said(() => assert.match("abc", /b/)), said(() => assert.notStrictEqual(1, 1)), said(() => assert.equal(null, undefined)),
  ],
  async als() {
    const als = new AsyncLocalStorage<number>();
    const other = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    await Promise.all([1, 2].map((n) => als.run(n, async () => {
      await timers.setTimeout(5 - n);
      seen.push([n, als.getStore(), other.getStore()]);
      await other.run("o", async () => {
        await null;
        queueMicrotask(() => seen.push(["micro", als.getStore(), other.getStore()]));
        await new Promise((resolve) => setTimeout(resolve, 2 * n));
      });
      seen.push([als.getStore(), als.exit(() => als.getStore()) ?? "none", other.getStore() ?? "none"]);
    })));
    const bound = als.run(9, () => AsyncLocalStorage.bind(() => als.getStore()));
    return { seen: seen.map((s) => JSON.stringify(s)).sort(), bound: bound(), after: als.getStore() ?? "none" };
  },
  crypto: () => [
    ...["md5", "sha1", "sha256", "sha384", "sha512", "SHA-256"].map((h) => crypto.createHash(h).update("a").update(Buffer.from("b")).digest("hex")),
    crypto.createHmac("sha256", "key").update("data").digest("base64url"), crypto.createHmac("sha512", Buffer.alloc(200, 1)).update("").digest("base64"),
    crypto.pbkdf2Sync("pw", "salt", 1000, 40, "sha256").toString("hex"), Buffer.from(crypto.hkdfSync("sha256", "key", "salt", "info", 42)).toString("hex"),
    crypto.timingSafeEqual(Buffer.from("a"), Buffer.from("a")), said(() => crypto.timingSafeEqual(Buffer.from("a"), Buffer.from("ab"))), said(() => crypto.createHash("nope")), crypto.randomBytes(8).length, /^[0-9a-f-]{36}$/.test(crypto.randomUUID()), crypto.randomInt(5, 6),
    crypto.createSecretKey(Buffer.from("k")).export({ format: "jwk" }),
  ],
  async streams() {
    const log: unknown[] = [];
    const upper = () => new Transform({ transform: (chunk, _, done) => done(null, String(chunk).toUpperCase()), flush(done) { this.push("!"); done(); } });
    const sink = () => {
      const parts: string[] = [];
      return Object.assign(new Writable({ highWaterMark: 3, write: (chunk, _, done) => (parts.push(String(chunk)), setTimeout(done, 1)) as never, final: (done) => (parts.push("end"), done()) }), { parts });
    };
    const a = sink();
    await pipeline(Readable.from(["one", "two", "three"]), upper(), a);
    const failing = await pipeline(Readable.from(["x"]), new Transform({ transform: (_c, _e, done) => done(new RangeError("no")) }), sink()).catch((e) => e.message);
    const generated = sink();
    await pipeline(async function* () { yield "g1"; yield "g2"; }, async function* (source) { for await (const part of source) yield `<${part}>`; }, generated);
    const collected: string[] = [];
    for await (const chunk of new Readable({ encoding: "utf8", read() { this.push("\u00e9"); this.push(null); } })) collected.push(chunk);
    const flowing = await new Promise((resolve) => {
      const r = new Readable({ read() {} }), all: string[] = [];
      r.on("data", (d) => all.push(String(d))).on("end", () => resolve(all));
      r.push("a");
      r.push("b");
      setTimeout(() => { r.push("c"); r.push(null); }, 1);
    });
    const w = new Writable({ highWaterMark: 2, write: (_c, _e, done) => setTimeout(done, 1) as never });
    const wrote = [w.write("a"), w.write("bc"), w.writableNeedDrain];
    await once(w, "drain");
    w.end("z", () => log.push("ended"));
    await new Promise<void>((resolve) => finished(w, () => resolve()));
    await timers.setTimeout(1);
    const pass = new PassThrough();
    pass.end("passed");
    const duplex = new Duplex({ read() { this.push("r"); this.push(null); }, write: (c, _e, done) => (log.push(`w${c}`), done()) as never });
    duplex.end("1");
    const destroyed = new Readable({ read() {} });
    const closed = new Promise<void>((resolve) => destroyed.once("close", () => resolve()));
    destroyed.on("error", (e) => log.push(e.message));
    destroyed.destroy(new Error("gone"));
    await closed;
    const web = new ReadableStream({ start(c) { c.enqueue("w1"); c.enqueue(new Uint8Array([65])); c.close(); } });
    return {
      a: a.parts, failing, generated: generated.parts, collected, flowing, wrote, log, passed: await text(pass), duplex: await text(duplex), web: await text(Readable.fromWeb(web as never)),
      toWeb: await new Response(Readable.toWeb(Readable.from([Buffer.from("t")])) as never).text(), json: await json(Readable.from(['{"a":1}'])), size: (await consume(Readable.from([Buffer.alloc(70_000), Buffer.alloc(3)]))).length,
      array: await Readable.from([1, 2, 3]).map((n: number) => n * 2).toArray(), state: [w.writableFinished, w.destroyed, destroyed.destroyed, pass.readableEnded],
      afterEnd: await new Promise((resolve) => { const x = new Writable({ write: (_c, _e, done) => done() }); x.on("error", (e) => resolve((e as { code?: string }).code)); x.end(); x.write("y"); }),
    };
  },
  decoder() {
    const d = new StringDecoder("utf8");
    const b64 = new StringDecoder("base64");
    return [d.write(Buffer.from([0xe2, 0x82])), d.write(Buffer.from([0xac])), d.end(), b64.write(Buffer.from("ab")), b64.end(Buffer.from("cd"))];
  },
  async zlib() {
    const data = Buffer.from("isle ".repeat(1000));
    const round = [["gzip", "gunzip"], ["deflate", "inflate"], ["deflateRaw", "inflateRaw"], ["brotliCompress", "brotliDecompress"]] as const;
    const sync = round.map(([to, from]) => zlib[`${from}Sync`](zlib[`${to}Sync`](data)).equals(data));
    const streamed = await consume(Readable.from([data.subarray(0, 10), data.subarray(10)]).pipe(zlib.createGzip()).pipe(zlib.createGunzip()));
    return [sync, streamed.equals(data), said(() => zlib.gunzipSync(Buffer.from("no gzip"))), await new Promise((resolve) => zlib.gzip("x", (e, out) => resolve(zlib.unzipSync(out).toString()))), zlib.gzipSync(data).length < 200];
  },
  diagnostics() {
    const channel = diagnostics.channel("c"), seen: unknown[] = [];
    diagnostics.subscribe("c", (message) => seen.push(message));
    channel.publish({ a: 1 });
    return [seen, channel.hasSubscribers];
  },
  console() {
    const lines: string[] = [];
    const sink = (name: string) => new Writable({ write: (chunk, _encoding, done) => done(void lines.push(name + chunk)) });
    const mine = new Console({ stdout: sink("out "), stderr: sink("err ") });
    mine.log("a %s %d %j", "b", 1.5, { x: 1 });
    mine.info({ a: [1, { b: null }] }, new Map([["k", "v"]]));
    mine.warn("w");
    mine.group("g");
    mine.error("inside");
    mine.groupEnd();
    mine.assert(false, "no");
    mine.count();
    new Console(sink("one ")).log("x");
    return [lines, said(() => new Console({} as never)), typeof mine.table];
  },
  // What comes when, where writes are done at once, later, or now so, now so.
  async writes() {
    const all: string[][] = [];
    for (const how of ["now", "later", "mixed"]) {
      const seen: string[] = [];
      let n = 0;
      const out = new Writable({
        highWaterMark: 4,
        write(chunk, _encoding, done) {
          seen.push(`write ${chunk}`);
          if (how === "later" || (how === "mixed" && n++ % 2 === 1)) setTimeout(done, 1);
          else done();
        },
        final: (done) => done(void seen.push("final")),
      });
      for (const name of ["drain", "finish", "close"]) out.on(name, () => seen.push(name));
      for (const chunk of ["a", "bb", "ccc", "d"]) seen.push(`${out.write(chunk, () => seen.push(`done ${chunk}`))}`);
      await new Promise<void>((resolve) => {
        out.once("close", () => setTimeout(resolve, 1));
        setTimeout(() => out.end("e", () => seen.push("end")), 20);
      });
      all.push(seen);
    }
    return all;
  },
  process: () => [typeof process.nextTick, process.env.GREETING ?? null, process.env.NOTHING ?? null, typeof process.cwd(), typeof process.hrtime.bigint(), global === globalThis, typeof setImmediate],
};
export const handler = async (event: { rawPath: string }) => tests[event.rawPath.slice(1)]?.() ?? { statusCode: 404, body: "no such test" };
