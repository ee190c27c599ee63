# The cold bench's peer: for each function a worker that loads it under a fresh id for every request, by workerd's Worker
# Loader. The functions are those that `npm run build` bundles into benches/dist.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "hello", worker = .hello),
    (name = "hono", worker = .hono),
    (name = "heavy", worker = .heavy),
    (name = "table", worker = .table),
  ],
  sockets = [
    (name = "hello", address = "127.0.0.1:0", http = (), service = "hello"),
    (name = "hono", address = "127.0.0.1:0", http = (), service = "hono"),
    (name = "heavy", address = "127.0.0.1:0", http = (), service = "heavy"),
    (name = "table", address = "127.0.0.1:0", http = (), service = "table"),
  ],
);

const hello :Workerd.Worker = (
  compatibilityDate = "2026-10-01",
  compatibilityFlags = ["experimental"],
  bindings = [(name = "LOADER", workerLoader = ())],
  modules = [
    (name = "loader.js", esModule = embed "loader.js"),
    (name = "function.js", text = embed "../dist/hello/workerd.js"),
  ],
);

const hono :Workerd.Worker = (
  compatibilityDate = "2026-10-01",
  compatibilityFlags = ["experimental"],
  bindings = [(name = "LOADER", workerLoader = ())],
  modules = [
    (name = "loader.js", esModule = embed "loader.js"),
    (name = "function.js", text = embed "../dist/hono/workerd.js"),
  ],
);

const heavy :Workerd.Worker = (
  compatibilityDate = "2026-10-01",
  compatibilityFlags = ["experimental"],
  bindings = [(name = "LOADER", workerLoader = ())],
  modules = [
    (name = "loader.js", esModule = embed "loader.js"),
    (name = "function.js", text = embed "../dist/heavy/workerd.js"),
  ],
);

const table :Workerd.Worker = (
  compatibilityDate = "2026-10-01",
  compatibilityFlags = ["experimental"],
  bindings = [(name = "LOADER", workerLoader = ())],
  modules = [
    (name = "loader.js", esModule = embed "loader.js"),
    (name = "function.js", text = embed "../dist/table/workerd.js"),
  ],
);
