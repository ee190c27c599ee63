import { parse as parseCookie, serialize } from "cookie";
import dayjs from "dayjs";
import relativeTime from "dayjs/plugin/relativeTime.js";
import timezone from "dayjs/plugin/timezone.js";
import utc from "dayjs/plugin/utc.js";
import ms from "ms";
import qs from "qs";
import superjson from "superjson";
import { parse, stringify, v1, v3, v4, v5, v7, validate, version } from "uuid";
import * as v from "valibot";

dayjs.extend(utc);
dayjs.extend(timezone);
dayjs.extend(relativeTime);
class Point {
  constructor(public x = 1) {}
}
superjson.registerClass(Point);
const Schema = v.object({ email: v.pipe(v.string(), v.email()), n: v.optional(v.number(), 3), tags: v.array(v.picklist(["a", "b"])) });

export const handler = async () => {
  const values = { date: new Date(0), set: new Set([1]), map: new Map([["k", 1n]]), none: undefined, pattern: /x/gi, error: new Error("e"), point: new Point(2), url: new URL("http://a/b") };
  return {
    cookie: [parseCookie("a=1; b=%20x; c"), serialize("s", "\u00e4;", { httpOnly: true, maxAge: 60, sameSite: "lax", path: "/" })],
    dayjs: [dayjs.tz("2024-07-01 12:00", "Asia/Tokyo").utc().format(), dayjs(0).utc().add(1, "month").format("dddd, MMMM D, YYYY"), dayjs(0).to(dayjs(86400000 * 3))],
    ms: [ms("2.5 hrs"), ms(60000), ms(2 * 60000, { long: true })],
    qs: [qs.parse("a[b][]=1&a[b][]=2&c.d=3&e=%E4", { allowDots: true }), qs.stringify({ a: [1, { b: "\u00fc &" }], d: new Date(0), n: null }, { arrayFormat: "brackets" })],
    superjson: [superjson.stringify(values), superjson.parse<{ p: Point }>(superjson.stringify({ p: new Point(3) })).p instanceof Point],
    uuid: [v3("a", v3.DNS), v5("hello", v5.URL), validate(v4()), version(v7()), version(v1()), stringify(parse(v5.DNS)), v4({ random: new Uint8Array(16).fill(7) })],
    valibot: [v.parse(Schema, { email: "a@b.cd", tags: ["a"] }), v.safeParse(Schema, { email: "x", tags: ["c"] }).issues?.map((issue) => [v.getDotPath(issue), issue.message])],
  };
};
