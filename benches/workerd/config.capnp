# One process, a worker and a socket for each workload: no worker has to look at paths. Ports come from the command line.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "hello", worker = .hello),
    (name = "json", worker = .json),
    (name = "echo", worker = .echo),
  ],
  sockets = [
    (name = "hello", address = "127.0.0.1:0", http = (), service = "hello"),
    (name = "json", address = "127.0.0.1:0", http = (), service = "json"),
    (name = "echo", address = "127.0.0.1:0", http = (), service = "echo"),
  ],
);

const hello :Workerd.Worker = (
  compatibilityDate = "2026-10-01",
  modules = [(name = "hello.js", esModule = embed "hello.js")],
);

const json :Workerd.Worker = (
  compatibilityDate = "2026-10-01",
  modules = [
    (name = "json.js", esModule = embed "json.js"),
    (name = "record.js", esModule = embed "../functions/record.js"),
  ],
);

const echo :Workerd.Worker = (
  compatibilityDate = "2026-10-01",
  modules = [(name = "echo.js", esModule = embed "echo.js")],
);
