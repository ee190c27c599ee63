import Handlebars from "handlebars";

Handlebars.registerHelper("loud", (text: string) => text.toUpperCase());
const page = Handlebars.compile("<h1>{{loud title}}</h1>{{#each items}}<p class=\"{{@index}}\">{{this}}</p>{{else}}none{{/each}}");
export const handler = async () => ({ some: page({ title: "a & b", items: ["<x>", "y"] }), none: page({ title: "", items: [] }) });
