import { randomBytes } from 'node:crypto'
import type { StoreHarness } from '@retryproof/conformance/vitest'
import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { onTestFinished } from 'vitest'
import { type OwnNode, type ServerNode, startService } from '../../../scripts/services.mjs'
import { type RedisClient, type RedisStoreOptions, redisStore } from '../src/index.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

type OwnClient = RedisClient & { disconnect(): void }

/** An address at which nobody listens. */
export const nobody: Address = { host: '127.0.0.1', port: 1 }

/** No command is sent twice unseen, and whoever cannot connect says so soon. */
export const honest = { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 1 } as const

export const ioredis6 = (address: Address, options = {}) => quiet(new Redis({ ...address, ...honest, ...options }))
export const ioredis5 = (address: Address, options = {}) => quiet(new Redis5({ ...address, ...honest, ...options }))

/** Both versions of the client, for `test.each`. */
export const clients = [
  ['ioredis 6', ioredis6],
  ['ioredis 5', ioredis5],
] as const

/** A Cluster client that gives up when it finds none of `nodes`. */
export function clusterOf(nodes: readonly Address[], options = {}): Cluster {
  const startup = nodes.map(({ host, port }) => ({ host, port }))
  return quiet(new Cluster(startup, { clusterRetryStrategy: () => null, ...options }))
}

/** The calls tell what went wrong with the connection. */
function quiet<Client extends { on(event: 'error', listener: () => void): unknown }>(client: Client): Client {
  client.on('error', () => {})
  return client
}

/** A name that no other test has used on this server. */
export const freshPrefix = (tag = '') => `${tag}test-${randomBytes(6).toString('hex')}:`

/** The harness of the suite: stores on the same records, each with a client of its own. */
export function harness(
  connect: (address?: Address) => OwnClient,
  {
    unreachable,
    server,
    tag,
    batch = true,
  }: { unreachable: () => OwnClient; server?: Address; tag?: string; batch?: boolean },
): StoreHarness {
  const prefix = freshPrefix(tag)
  const clients = new Map<unknown, OwnClient>()
  const open = (client: OwnClient, now?: () => number) => {
    const store = redisStore({ client, prefix, batch, ...(now && { now }) })
    clients.set(store, client)
    return store
  }
  return {
    open: ({ now }) => open(connect(), now),
    close: (store) => clients.get(store)?.disconnect(),
    unreachable: () => open(unreachable()),
    ...(server && { server: { ...server, open: (address, { now }) => open(connect(address), now) } }),
  }
}

/** A store for one test, under a prefix of its own. Its client is closed after the test. */
export function storeFor(client: OwnClient, options: Partial<RedisStoreOptions> = {}) {
  onTestFinished(() => client.disconnect())
  return redisStore({ client, prefix: freshPrefix(), ...options })
}

/** A server for tests that fill it, stop it or reconfigure it, and a client for that. */
export async function startOwnServer() {
  const server = await startService('redis')
  const address = addressOf(server.nodes)
  const admin: Redis = ioredis6(address, { maxRetriesPerRequest: null })
  async function stop(): Promise<void> {
    admin.disconnect()
    await server.stop()
  }
  return { node: server.nodes[0] as OwnNode, address, admin, stop }
}

/** The address of a server. */
export const addressOf = (nodes: readonly ServerNode[]): Address => {
  const { host, port } = nodes[0] ?? nobody
  return { host, port }
}

export const claim = { owner: 'owner', fingerprint: 'fingerprint', leaseMs: 60_000, retentionMs: 60_000 }
export const bytesOf = (text: string) => new TextEncoder().encode(text)

export async function collect<T>(all: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const one of all) found.push(one)
  return found
}
