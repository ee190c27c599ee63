// Nothing but the deployment's own files and a few modules of Node can be imported, whatever the scheme.
const specifiers = [
  "ext:core/mod.js", "ext:core/ops", "ext:deno_web/00_infra.js", "ext:deno_fetch/26_fetch.js", "internal:core", "isle:internal",
  "node:fs", "node:child_process", "fs", "file:///etc/passwd", "/etc/passwd", "../../etc/passwd", "./%2e%2e/%2e%2e/etc/passwd",
  "data:text/javascript,export default 1", "blob:null/0", "https://example.com/a.js", "http://127.0.0.1/a.js", "npm:left-pad",
  "jsr:@std/path", "checkin:./a.js", "", ".", "./", "./isle.toml", "./missing.js", "//example.com/a.js",
];
export const handler = async () => {
  const loaded = [];
  for (const specifier of specifiers) {
    await import(specifier).then(
      () => loaded.push(specifier),
      (error) => error instanceof Error || loaded.push(`${specifier} threw a ${typeof error}`),
    );
  }
  return { loaded };
};
