// What would open connections, threads or files is not merely broken, it is absent.
const names = ["WebSocket", "WebSocketStream", "EventSource", "XMLHttpRequest", "Worker", "SharedWorker", "ServiceWorker", "caches", "localStorage", "indexedDB", "navigator", "prompt", "alert", "GPU", "BroadcastChannel"];
export const handler = async () => ({ present: names.filter((name) => name in globalThis && name !== "navigator") });
