// Bundles the functions of the cold bench: one module for Isle and one for workerd each, into benches/dist.
import { build } from "esbuild";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
// Names stay as they are, and of the router app everything does: the sizes are those of bundles people deploy.
// `table` is `heavy` with much data beside the code: what restoring a heap is worst at.
const minified = { minifyWhitespace: true, minifySyntax: true };
const bundles = {
  hello: {},
  hono: {},
  heavy: { ...minified, define: { ROWS: "500" } },
  table: { ...minified, source: "heavy", define: { ROWS: "20000" } },
};

const outputs = Object.entries(bundles).map(async ([name, { source = name, define = {}, ...options }]) => {
  const { metafile } = await build({
    absWorkingDir: here,
    entryPoints: [`${source}/isle.js`, `${source}/workerd.js`],
    outdir: `../dist/${name}`,
    bundle: true,
    format: "esm",
    target: "es2024",
    platform: "browser",
    conditions: ["workerd", "worker"],
    define: { "process.env.NODE_ENV": '"production"', ...define },
    legalComments: "none",
    metafile: true,
    ...options,
  });
  return Object.entries(metafile.outputs);
});

for (const [path, { bytes }] of (await Promise.all(outputs)).flat()) {
  console.log(`${path.replace("../", "")}: ${(bytes / 1000).toFixed(1)} kB`);
}
