/** Calls of one tick share a script: fewer commands, and each call with its own answer, error and context. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { checks } from '@retryproof/conformance'
import { Redis } from 'ioredis'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type OwnNode, service, unavailable } from '../../../scripts/services.mjs'
import type { RedisStore } from '../src/index.ts'
import { type Address, bytesOf, claim, clients, freshPrefix, ioredis6, startOwnServer, storeFor } from './harness.ts'

const missing = await unavailable('redis')
const cluster = await service('redis-cluster')
const keys = (count: number, prefix = 'k') => Array.from({ length: count }, (_, index) => `${prefix}${index}`)
const completed = (result: Uint8Array) => ({ to: 'completed', result, retentionMs: 60_000 }) as const

/** Sends a call, which leaves by itself: those that follow it in the same tick share a script. */
const lead = (store: RedisStore) => store.get('k0')

/** Counts the writes to the socket of a client, and the parts of each. */
function countWrites({ stream }: Redis): number[] {
  const writes: number[] = []
  const { _write, _writev } = stream
  stream._write = (...write) => {
    writes.push(1)
    _write.apply(stream, write)
  }
  stream._writev = (chunks, done) => {
    writes.push(chunks.length)
    _writev?.call(stream, chunks, done)
  }
  return writes
}

describe.skipIf(missing)('calls of one tick', () => {
  let node: OwnNode
  let address: Address
  let admin: Redis

  // its own, because these tests fill it, kill it and give it users
  beforeAll(async () => {
    const own = await startOwnServer()
    ;({ node, address, admin } = own)
    return own.stop
  })

  test.each([
    ['share scripts of 32, each of which leaves at once, behind the first', true, [1, 1, 1]],
    ['without batches, share one write', false, [40]],
  ])('%s', async (_, batch, expected) => {
    const client = new Redis(address)
    const store = storeFor(client, { batch })
    // the server has the script from here on
    await store.begin('first', claim)
    const writes = countWrites(client)
    const begun = await Promise.all(keys(40).map((key) => store.begin(key, claim)))
    expect(begun.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 40 }, () => 'acquired'))
    expect(writes).toEqual(expected)
  })

  const races = checks.filter(({ id, needs }) => /^C1(-|8)/.test(id) && needs.length === 0)
  test.each(races)('all clients on one store: $id $title', async (check) => {
    const store = storeFor(ioredis6(address))
    await check.run({ open: () => store })
  })

  test.each(clients)('have an outcome each, whatever the others have, %s', async (_, connect) => {
    const prefix = freshPrefix()
    const store = storeFor(connect(address), { prefix })
    const result = new Uint8Array([0, 0xff, 13, 10])
    const settled = await store.begin('settled', claim)
    await store.transition('settled', settled.token, completed(result))
    const held = await store.begin('held', claim)
    await admin.set(`${prefix}text`, 'of somebody else')
    await admin.hset(`${prefix}hash`, 'state', 'in_progress')
    const request = new Uint8Array(300_000).fill(7)

    const outcomes = await Promise.allSettled([
      store.begin('fresh', { ...claim, request: bytesOf('request') }),
      store.begin('text', claim),
      store.begin('settled', { ...claim, owner: 'other' }),
      store.begin('large', { ...claim, request }),
      store.begin('settled', { ...claim, fingerprint: 'other' }),
      store.get('hash'),
      store.transition('held', held.token - 1, completed(result)),
      store.transition('held', held.token, completed(bytesOf('né'))),
      store.begin('fresh', { ...claim, owner: 'other' }),
      store.get('nothing'),
    ])
    const misuse = { status: 'rejected', reason: { code: 'IDEMPOTENCY_STORE_MISCONFIGURED' } }
    const fulfilled = (value: unknown) => ({ status: 'fulfilled', value })
    expect(outcomes).toMatchObject([
      fulfilled({ outcome: 'acquired', attempt: 1, request: null }),
      misuse,
      fulfilled({ outcome: 'settled', result }),
      fulfilled({ outcome: 'acquired', attempt: 1 }),
      fulfilled({ outcome: 'mismatch', result: null }),
      misuse,
      fulfilled({ outcome: 'lost', current: { token: held.token, state: 'in_progress' } }),
      fulfilled({ outcome: 'ok', applied: true }),
      fulfilled({ outcome: 'in_progress', attempt: 1 }),
      fulfilled(null),
    ])
    expect(Buffer.compare((await store.get('large'))?.request ?? bytesOf(''), request)).toBe(0)
    expect((await store.get('held'))?.result).toEqual(bytesOf('né'))
    expect(await admin.get(`${prefix}text`)).toBe('of somebody else')
  })

  test('a replay needs no room where a begin of the same script is refused for memory', async () => {
    const store = storeFor(ioredis6(address))
    const { token } = await store.begin('settled', claim)
    await store.transition('settled', token, completed(bytesOf('kept')))
    onTestFinished(async () => {
      await admin.config('SET', 'maxmemory', 0)
    })
    await admin.config('SET', 'maxmemory', 1)
    const leading = lead(store)
    const [fresh, replay, other] = await Promise.allSettled(
      ['fresh', 'settled', 'other'].map((key) => store.begin(key, { ...claim, owner: 'other' })),
    )
    await leading
    const refused = {
      status: 'rejected',
      reason: { applied: 'no', message: expect.stringContaining('raise maxmemory') },
    }
    expect([fresh, other]).toMatchObject([refused, refused])
    expect(replay).toMatchObject({ value: { outcome: 'settled', result: bytesOf('kept') } })
  })

  test('more bytes than one script reads: the calls that it leaves are sent by themselves', async () => {
    const store = storeFor(ioredis6(address))
    const results = keys(8).map((_, index) => new Uint8Array(100_000).fill(index))
    const begun = await Promise.all(keys(8).map((key) => store.begin(key, claim)))
    await Promise.all(
      begun.map(({ token }, i) => store.transition(`k${i}`, token, completed(results[i] as Uint8Array))),
    )
    await admin.config('RESETSTAT')
    const leading = lead(store)
    const replays = await Promise.all(keys(8).map((key) => store.begin(key, { ...claim, owner: 'other' })))
    await leading
    expect(replays.map(({ result }, i) => Buffer.compare(result ?? bytesOf(''), results[i] as Uint8Array))).toEqual(
      results.map(() => 0),
    )
    // the leading one, one for three calls, and one for each of the other five
    expect(await admin.info('commandstats')).toContain('cmdstat_evalsha:calls=7,')
  })

  test('a key that the user may not touch is refused, and no other', async () => {
    const prefix = freshPrefix()
    await admin.acl('SETUSER', 'some', 'reset', 'on', '>secret', `~${prefix}k*`, `~${prefix}probe-*`, '+@all')
    const store = storeFor(ioredis6(address, { username: 'some', password: 'secret' }), { prefix })
    await store.get('k0')
    const leading = lead(store)
    const [one, forbidden, other] = await Promise.allSettled(
      ['k1', 'other', 'k2'].map((key) => store.begin(key, claim)),
    )
    await leading
    expect(forbidden).toMatchObject({ reason: { code: 'IDEMPOTENCY_STORE_MISCONFIGURED' } })
    expect([one, other]).toMatchObject([{ value: { outcome: 'acquired' } }, { value: { outcome: 'acquired' } }])
  })

  test.each(clients)(
    'a connection that is cut leaves each unknown, with an error of its own, %s',
    async (_, connect) => {
      const store = storeFor(connect(address))
      await store.get('warm')
      node.signal('SIGSTOP')
      const unanswered = Promise.allSettled(keys(40).map((key) => store.begin(key, claim)))
      await node.kill()
      const outcomes = await unanswered
      expect(outcomes).toMatchObject(
        keys(40).map(() => ({
          status: 'rejected',
          reason: { code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'unknown' },
        })),
      )
      expect(new Set(outcomes.map((outcome) => 'reason' in outcome && outcome.reason)).size).toBe(40)
      await node.start()
    },
  )

  test('are sent in the async context of the first or the last of them', async () => {
    const context = new AsyncLocalStorage<string>()
    const client = ioredis6(address)
    const store = storeFor(client)
    await store.get('warm')
    const seen: unknown[] = []
    const send = client.sendCommand.bind(client)
    client.sendCommand = (...command) => {
      seen.push(context.getStore())
      return send(...command)
    }
    await Promise.all(keys(35).map((key) => context.run(key, () => store.get(key))))
    expect(seen).toEqual(['k0', 'k32', 'k33'])
    seen.length = 0
    const found = await Promise.all(
      keys(2).map((key) => context.run(key, () => store.get(key).then(() => context.getStore()))),
    )
    expect([seen, found]).toEqual([
      ['k0', 'k1'],
      ['k0', 'k1'],
    ])
  })

  test.skipIf(cluster.missing)('are sent one by one on a server that wants keys of one slot', async () => {
    const server = cluster.nodes.find(({ role }) => role === 'primary')
    const client = ioredis6(server as Address)
    const slots = await client.cluster('SLOTS')
    const isHere = async (key: string) => {
      const slot = await client.cluster('KEYSLOT', key)
      return slots.some(([from, to, primary]) => primary?.[1] === server?.port && slot >= from && slot <= to)
    }
    const prefix = freshPrefix()
    const here: string[] = []
    for (const key of keys(100)) if (await isHere(prefix + key)) here.push(key)
    const store = storeFor(client, { prefix })
    await store.check().catch(() => {})
    const begun = await Promise.all(here.map((key) => store.begin(key, claim)))
    expect(begun.map(({ outcome }) => outcome)).toEqual(here.map(() => 'acquired'))
    expect(here.length).toBeGreaterThan(2)
  })
})
