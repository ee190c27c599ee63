import { createContext, Suspense, use, useContext, useId } from "react";
import { renderToReadableStream, renderToStaticMarkup, renderToString } from "react-dom/server";

const Theme = createContext("light");
function Card({ title, children }: { title: string; children?: React.ReactNode }) {
  return <section className={useContext(Theme)} aria-labelledby={useId()} style={{ fontSize: 12 }}><h2>{title}</h2>{children}</section>;
}
function Slow({ data }: { data: Promise<string> }) {
  return <em>{use(data)}</em>;
}
export const handler = async (event: { rawPath: string }) => {
  const page = <html><body><Theme value="dark"><Card title={"a < b"}><p>text</p></Card></Theme></body></html>;
  if (event.rawPath === "/static") return { statusCode: 200, headers: { "content-type": "text/html" }, body: renderToStaticMarkup(page) };
  if (event.rawPath === "/stream") {
    const data = new Promise<string>((resolve) => setTimeout(() => resolve("late"), 5));
    const stream = await renderToReadableStream(<main><Suspense fallback="..."><Slow data={data} /></Suspense></main>);
    await stream.allReady;
    return { statusCode: 200, headers: { "content-type": "text/html" }, body: await new Response(stream).text() };
  }
  return { statusCode: 200, headers: { "content-type": "text/html" }, body: renderToString(page) };
};
