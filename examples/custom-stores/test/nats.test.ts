import { randomBytes } from 'node:crypto'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { describeStore } from '@retryproof/conformance/vitest'
import { services } from '../../../scripts/services.mjs'
import { type NatsKvStoreOptions, natsKvStore } from '../nats-kv-store.ts'

for (const { title, url } of await services('nats')) {
  const bucket = `suite_${randomBytes(6).toString('hex')}`
  const connections = new Map<unknown, NatsConnection>()

  async function open(servers: string, options: Partial<NatsKvStoreOptions>) {
    const connection = await connect({ servers, reconnectTimeWait: 10, maxReconnectAttempts: -1 })
    const store = await natsKvStore({ connection, bucket, ...options })
    connections.set(store, connection)
    return store
  }

  const { hostname: host, port } = new URL(url)
  describeStore(`a bucket of ${title}`, {
    open: (options) => open(url, options),
    close: async (store) => connections.get(store)?.close(),
    async unreachable() {
      const store = await open(url, {})
      await connections.get(store)?.close()
      return store
    },
    server: {
      host,
      port: Number(port),
      // an answer that was lost in between is waited for until the time is over
      open: (address, options) => open(`nats://${address.host}:${address.port}`, { ...options, timeoutMs: 250 }),
    },
  })
}
