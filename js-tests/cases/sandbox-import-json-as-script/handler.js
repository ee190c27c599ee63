// A JSON file is never run as code, nor code read as JSON.
const outcome = (promise) => promise.then(() => "loaded", (error) => error.name);
export const handler = async () => ({
  bare: await outcome(import("./data.json")),
  asJson: await outcome(import("./code.js", { with: { type: "json" } })),
  right: await outcome(import("./data.json", { with: { type: "json" } })),
});
