import { randomBytes } from 'node:crypto'
import type { StoreHarness } from '@retryproof/conformance/vitest'
import type { Cluster, Redis } from 'ioredis'
import { type RedisClient, redisStore } from '../src/index.ts'

interface Options {
  /** A client of its own for each store. */
  connect(address?: { host: string; port: number }): RedisClient & { disconnect(): void }
  server?: { host: string; port: number }
  unreachable: { host: string; port: number }
}

/** What the suite has to know: stores that share records under a prefix of this run, each on a connection of its own. */
export function redisHarness({ connect, server, unreachable }: Options): StoreHarness {
  const prefix = `test-${randomBytes(6).toString('hex')}:`
  const clients = new Map<unknown, { disconnect(): void }>()
  const open = (address: { host: string; port: number } | undefined, now?: () => number) => {
    const client = connect(address)
    const store = redisStore({ client, prefix, ...(now && { now }) })
    clients.set(store, client)
    return store
  }
  return {
    open: ({ now }) => open(undefined, now),
    close: (store) => clients.get(store)?.disconnect(),
    unreachable: () => open(unreachable),
    ...(server && { server: { ...server, open: (address, { now }) => open(address, now) } }),
  }
}

/** Settings that tests want: no reply is waited for without end, no command is sent twice unseen, errors reach the caller. */
export const honest = { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 1 } as const

/** Errors of the connection are answered by the calls. */
export function quiet<C extends Redis | Cluster>(client: C): C {
  client.on('error', () => {})
  return client
}
