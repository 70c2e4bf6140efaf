import { randomBytes } from 'node:crypto'
import { jetstream } from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { describeStore } from '@retryproof/conformance/vitest'
import { services } from '../../../scripts/services.mjs'
import { natsKvStore } from '../nats-kv-store.ts'

for (const { title, url } of await services('nats')) {
  const name = `suite_${randomBytes(6).toString('hex')}`
  const connections = new Map<unknown, NatsConnection>()

  async function open(servers: string, now: (() => number) | undefined, timeout: number) {
    const connection = await connect({ servers, reconnectTimeWait: 10, maxReconnectAttempts: -1 })
    const bucket = await new Kvm(jetstream(connection, { timeout })).create(name, { history: 1, allow_direct: false })
    const maxPayloadBytes = connection.info?.max_payload ?? 0
    const store = natsKvStore({ bucket, maxPayloadBytes, ...(now && { now }) })
    connections.set(store, connection)
    return store
  }

  const { hostname: host, port } = new URL(url)
  describeStore(`a bucket of ${title}`, {
    open: ({ now }) => open(url, now, 5_000),
    close: async (store) => connections.get(store)?.close(),
    server: {
      host,
      port: Number(port),
      // a reply that was lost in between is waited for until the time is over
      open: (address, { now }) => open(`nats://${address.host}:${address.port}`, now, 250),
    },
  })
}
