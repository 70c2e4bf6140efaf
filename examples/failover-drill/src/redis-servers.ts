/**
 * Redis behind Sentinels, where a write counts once both replicas have it (`durability`), and as a Cluster, which cannot promise
 * that: a primary that dies may take the writes of its last milliseconds with it.
 */
import { redisStore } from '@retryproof/redis'
import { Cluster, Redis } from 'ioredis'
import { type OwnNode, startService } from '../../../scripts/services.mjs'
import type { Servers } from './failover-drill.ts'
import { until } from './until.ts'

/** All replicas: Sentinels may promote one that had not confirmed, and a second primary may still have one. */
const durability = { replicas: 2, timeout: '500ms' } as const
const NO_ORDERS = async () => new Map<string, number>()

const addresses = (nodes: readonly OwnNode[], role: string) =>
  nodes.filter((node) => node.role === role).map(({ host, port }) => ({ host, port }))

/** The first primary, which is started again where it was killed, once another leads. */
function oldPrimary(node: OwnNode) {
  let isLeading = true
  let isKilled = false
  return {
    async kill(): Promise<void> {
      isKilled = true
      await node.kill()
      if (!isLeading) await node.start()
    },
    /** Another leads. Returns true where this one had been killed. */
    async succeeded(): Promise<boolean> {
      isLeading = false
      if (isKilled) await node.start()
      return isKilled
    },
  }
}

/**
 * Demotion: the primary stands still until another leads, wakes as a second primary, and is killed later. A killed server
 * is started again, since each write waits for both replicas.
 */
export async function startRedisSentinel(): Promise<Servers<never>> {
  const service = await startService('redis-sentinel')
  const { nodes } = service
  const first = nodes[0] as OwnNode
  const [watcher] = addresses(nodes, 'sentinel')
  const sentinel = new Redis({ ...watcher }).on('error', () => {})
  const old = oldPrimary(first)
  return {
    async open() {
      const sentinels = addresses(nodes, 'sentinel')
      const client = new Redis({ sentinels, name: 'primary', autoResendUnfulfilledCommands: false })
      client.on('error', () => {})
      return { store: redisStore({ client, durability }), end: () => client.quit() }
    },
    demote: async () => first.signal('SIGSTOP'),
    async promote() {
      await until(async () => {
        const [, port] = (await sentinel.call('SENTINEL', 'get-master-addr-by-name', 'primary')) as string[]
        return Number(port) !== first.port
      })
      if (!(await old.succeeded())) first.signal('SIGCONT')
    },
    kill: old.kill,
    orders: NO_ORDERS,
    async stop() {
      sentinel.disconnect()
      await service.stop()
    },
  }
}

/** Demotion: `CLUSTER FAILOVER`. A killed server is started again, since a primary without a replica takes no writes. */
export async function startRedisCluster(): Promise<Servers<never>> {
  const service = await startService('redis-cluster', { args: ['--min-replicas-to-write', '1'] })
  const { nodes } = service
  const first = nodes.find(({ role }) => role === 'primary') as OwnNode
  const replica = await replicaOf(first)
  const successor = new Redis({ host: replica.host, port: replica.port }).on('error', () => {})
  const old = oldPrimary(first)
  return {
    async open() {
      const client = new Cluster([...addresses(nodes, 'primary'), ...addresses(nodes, 'replica')])
      client.on('error', () => {})
      return { store: redisStore({ client }), end: () => client.quit() }
    },
    async demote() {
      await successor.cluster('FAILOVER')
    },
    async promote() {
      await until(async () => /^role:master/m.test(await successor.info('replication')))
      await old.succeeded()
    },
    kill: old.kill,
    orders: NO_ORDERS,
    async stop() {
      successor.disconnect()
      await service.stop()
    },
  }

  async function replicaOf({ host, port }: OwnNode): Promise<OwnNode> {
    const client = new Redis({ host, port })
    const followed = /^slave0:ip=[^,]+,port=(\d+)/m.exec(await client.info('replication'))?.[1]
    client.disconnect()
    return nodes.find((node) => node.port === Number(followed)) as OwnNode
  }
}
