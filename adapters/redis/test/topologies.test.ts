/** Topologies with one bad server: each call is refused or right, and the finding names what to change. */
import { createIdempotency, unscoped } from '@retryproof/core'
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type OwnNode, type ServiceName, startService, unavailable } from '../../../scripts/services.mjs'
import { redisStore } from '../src/index.ts'
import { addressOf, claim, clusterOf, freshPrefix, ioredis6, storeFor } from './harness.ts'

const missing = (await unavailable('redis')) ?? (await unavailable('redis-cluster'))
const misconfigured = (message: string) => ({
  code: 'IDEMPOTENCY_STORE_MISCONFIGURED',
  message: expect.stringContaining(message),
})
const evicts = misconfigured('maxmemory-policy')

async function start(name: ServiceName, options = {}): Promise<readonly OwnNode[]> {
  const service = await startService(name, options)
  onTestFinished(() => service.stop())
  return service.nodes
}

function adminOf({ host, port }: OwnNode): Redis {
  const admin = new Redis({ host, port }).on('error', () => {})
  onTestFinished(() => admin.disconnect())
  return admin
}

const primariesOf = (nodes: readonly OwnNode[]) => nodes.filter(({ role }) => role === 'primary')
const lastPrimary = (nodes: readonly OwnNode[]) => primariesOf(nodes).at(-1) as OwnNode

describe.skipIf(missing)('a topology with one bad server', { timeout: 60_000 }, () => {
  test('alone: a command of the script is renamed away', async () => {
    const store = storeFor(ioredis6(addressOf(await start('redis', { args: ['--rename-command', 'SETRANGE', ''] }))))
    await expect(store.check()).rejects.toMatchObject(misconfigured('Redis 7.0 or later'))
    await expect(store.begin('key', claim)).rejects.toMatchObject(misconfigured('Redis 7.0 or later'))
  })

  test('alone: a replica, of which the client was told that it is the server', async () => {
    const [, replica] = await start('redis-replica')
    const store = storeFor(ioredis6(replica as OwnNode))
    await expect(store.check()).rejects.toMatchObject({ message: expect.stringContaining('It is a replica') })
    await expect(store.begin('key', claim)).rejects.toMatchObject({
      message: expect.stringContaining('It is a replica'),
    })
  })

  test('with a replica that evicts, once that is promoted', async () => {
    const [primary, replica] = (await start('redis-replica')) as [OwnNode, OwnNode]
    const admin = adminOf(replica)
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
    // an address that moves, as a name does at a failover
    const client = new Redis({ ...addressOf([primary]), retryStrategy: () => 10 }).on('error', () => {})
    const store = storeFor(client)
    expect(await store.begin('key', claim)).toMatchObject({ outcome: 'acquired' })
    await admin.replicaof('NO', 'ONE')
    client.options.port = replica.port
    client.disconnect(true)
    await expect.poll(() => store.get('key').catch((error) => error), { timeout: 10_000 }).toMatchObject(evicts)
  })

  test('behind Sentinels: every replica evicts, and one of them is promoted', async () => {
    const nodes = await start('redis-sentinel')
    for (const node of nodes.filter(({ role }) => role === 'replica')) {
      await adminOf(node).config('SET', 'maxmemory-policy', 'allkeys-lru')
    }
    const sentinels = nodes.filter(({ role }) => role === 'sentinel').map(({ host, port }) => ({ host, port }))
    const client = new Redis({ sentinels, name: 'primary', autoResendUnfulfilledCommands: false })
    client.on('error', () => {})
    const store = storeFor(client)
    expect(await store.begin('key', claim)).toMatchObject({ outcome: 'acquired' })
    await primariesOf(nodes)[0]?.kill()
    const outcome = () => store.get('other').catch((error) => error)
    await expect.poll(outcome, { timeout: 50_000, interval: 200 }).toMatchObject(evicts)
  })

  test('a Cluster, of which the client was told that it is one server', async () => {
    const nodes = await start('redis-cluster')
    const store = storeFor(ioredis6(lastPrimary(nodes)))
    const keys = Array.from({ length: 32 }, (_, n) => `key ${n}`)
    const outcomes = await Promise.all(keys.map((key) => store.begin(key, claim).catch((error) => error)))
    const elsewhere = outcomes.filter((outcome) => outcome instanceof Error)
    expect(elsewhere.length).toBeGreaterThan(0)
    for (const error of elsewhere) expect(error).toMatchObject(misconfigured('connect by new Cluster'))
  })

  test('a Cluster of which one primary evicts', async () => {
    const nodes = await start('redis-cluster')
    await adminOf(lastPrimary(nodes)).config('SET', 'maxmemory-policy', 'allkeys-lru')
    const store = storeFor(clusterOf(nodes))
    await expect(store.check()).rejects.toMatchObject(evicts)
    for (const key of ['a', 'b', 'c', 'd']) await expect(store.begin(key, claim)).rejects.toMatchObject(evicts)
  })

  test('a Cluster of which one primary lets the user run all commands but one', async () => {
    const nodes = await start('redis-cluster')
    const bad = lastPrimary(nodes)
    for (const node of nodes) {
      await adminOf(node).acl(
        'SETUSER',
        'app',
        'on',
        '>secret',
        '~*',
        '&*',
        '+@all',
        ...(node === bad ? ['-setrange'] : []),
      )
    }
    const store = storeFor(clusterOf(nodes, { redisOptions: { username: 'app', password: 'secret' } }))
    await expect(store.check()).rejects.toMatchObject(misconfigured('Its user needs'))
    for (const key of ['a', 'b', 'c', 'd']) {
      await expect(store.begin(key, claim)).rejects.toMatchObject(misconfigured('Its user needs'))
    }
  })

  test('a Cluster of which one primary takes no writes: its keys are refused, all others are served', async () => {
    const nodes = await start('redis-cluster')
    const admin = adminOf(lastPrimary(nodes))
    await admin.config('SET', 'min-replicas-to-write', '5')
    const client = clusterOf(nodes)
    onTestFinished(() => client.disconnect())
    const store = redisStore({ client, prefix: freshPrefix() })
    const idempotency = createIdempotency({ store, namespace: 'x', storeTimeout: '500ms', lease: '1s' })
    let runs = 0
    const call = (key: string) => idempotency.run({ operation: 'p', scope: unscoped, key }, () => ++runs)
    const keys = Array.from({ length: 24 }, (_, i) => `key ${i}`)
    const outcomes = await Promise.allSettled(keys.map(call))
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
    expect(refused.length).toBeGreaterThan(0)
    expect(runs).toBe(keys.length - refused.length)
    for (const error of refused) expect(error).toMatchObject({ code: 'IDEMPOTENCY_STORE_UNAVAILABLE' })
    await admin.config('SET', 'min-replicas-to-write', '0')
    for (const key of keys)
      await expect.poll(() => call(key).catch(({ code }) => code)).toMatchObject({ recorded: true })
    expect(runs).toBe(keys.length)
  })
})
