/** @jsxImportSource preact */
import { createContext } from "preact";
import { useContext, useMemo, useState } from "preact/hooks";
import render from "preact-render-to-string";

const Theme = createContext("light");
function List({ items }: { items: string[] }) {
  const theme = useContext(Theme), [open] = useState(true);
  const sorted = useMemo(() => [...items].sort(), [items]);
  return <ul class={theme} data-open={open}>{sorted.map((item) => <li key={item}>{item}</li>)}</ul>;
}
export const handler = async () => ({
  statusCode: 200,
  headers: { "content-type": "text/html" },
  body: `<!doctype html>${render(<Theme.Provider value="dark"><List items={["b", "<a>"]} /></Theme.Provider>)}`,
});
