using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(
    name = "suite",
    worker = (
      compatibilityDate = "2025-09-01",
      modules = [(name = "workerd.mjs", esModule = embed "workerd.mjs")],
    ),
  )],
  sockets = [(name = "http", address = "127.0.0.1:0", service = "suite")],
);
