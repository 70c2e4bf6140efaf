using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(
    name = "smoke",
    worker = (
      compatibilityDate = "2025-09-01",
      modules = [
        (name = "worker.mjs", esModule = embed "worker.mjs"),
        (name = "smoke.mjs", esModule = embed "smoke.mjs"),
        (name = "@retryproof/core", esModule = embed "node_modules/@retryproof/core/dist/index.js"),
      ],
    ),
  )],
);
