import { Marked } from "marked";

const marked = new Marked({ gfm: true, renderer: { heading: ({ text, depth }) => `<h${depth} id="${text.toLowerCase()}">${text}</h${depth}>` } });
export const handler = async (event: { body: string }) => ({ html: await marked.parse(event.body), tokens: marked.lexer(event.body).length });
