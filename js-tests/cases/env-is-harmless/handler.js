// Variables of the manifest do no harm, and nothing of the node's own environment is here.
export const handler = async () => {
  const env = globalThis.process?.env ?? {};
  return { leaks: ["PATH", "HOME", "USER", "ISLE_TOKEN"].filter((name) => name in env) };
};
