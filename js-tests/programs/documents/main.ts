import * as cheerio from "cheerio";
import ejs from "ejs";
import { XMLBuilder, XMLParser, XMLValidator } from "fast-xml-parser";
import { JSONPath } from "jsonpath-plus";
import Mustache from "mustache";

export const handler = async () => {
  const $ = cheerio.load("<ul><li class=a>1<li class='b c'>Zw\u00f6</ul><p>x</p>");
  $("li.b").text("2 & more").attr("data-x", '"y"');
  $("p").remove();
  const shop = { store: { book: [{ title: "A", price: 8 }, { title: "B", price: 12 }] } };
  const list = [{ name: "<a>", raw: "<b>" }, { name: "c", raw: 1, last: true }];
  return {
    cheerio: [$.html(), $("li").map((_, element) => $(element).text()).get(), $("ul").find("li:nth-child(2)").attr("class"), cheerio.load("<x><y/></x>", { xml: true }).xml()],
    ejs: [ejs.render("<% for (const x of xs) { %><%= x %>;<%- x %>\n<% } -%>", { xs: ["<a>", 2] }), await ejs.render("<%= await y %>", { y: Promise.resolve(3) }, { async: true })],
    xml: [new XMLParser({ ignoreAttributes: false }).parse('<a b="1"><c>x &amp; y</c><c>2</c><!-- n --><d><![CDATA[<z>]]></d></a>'), new XMLBuilder({ format: true, ignoreAttributes: false }).build({ a: { "@_b": 1, c: ["x", 2] } }), XMLValidator.validate("<a><b></a>")],
    jsonpath: [JSONPath({ path: "$..book[?(@.price<10)].title", json: shop }), JSONPath({ path: "$.store.book[-1:].title", json: shop })],
    mustache: Mustache.render("{{#list}}{{name}} {{{raw}}}{{^last}}, {{/last}}{{/list}}{{> part}}", { list }, { part: "!{{#list}}.{{/list}}" }),
  };
};
