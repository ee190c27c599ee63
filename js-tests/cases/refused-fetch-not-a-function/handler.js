export default { fetch: "x" };
