// A module knows its place in the deployment, not the node's disk.
export const handler = async () => ({
  file: new URL(import.meta.url).pathname.endsWith("/handler.js"),
  sibling: new URL("./other.js", import.meta.url).href.endsWith("/other.js"),
  disk: /\/(home|root|tmp|var|work|usr)\//.test(import.meta.url),
});
