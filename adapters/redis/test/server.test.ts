import { checks } from '@retryproof/conformance'
import {
  createIdempotency,
  IdempotencyInProgressError,
  StoreMisconfiguredError,
  StoreUnavailableError,
} from '@retryproof/core'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type OwnNode, unavailable } from '../../../scripts/services.mjs'
import { redisStore } from '../src/index.ts'
import { toSeen } from '../src/record.ts'
import {
  type Address,
  bytesOf,
  claim,
  clients,
  freshPrefix,
  harness,
  ioredis6,
  nobody,
  startOwnServer,
  storeFor,
} from './harness.ts'

const missing = await unavailable('redis')

describe.skipIf(missing)('a server in trouble', () => {
  let node: OwnNode
  let address: Address
  let admin: Redis

  // its own, because these tests stop it, fill it and reconfigure it
  beforeAll(async () => {
    const own = await startOwnServer()
    ;({ node, address, admin } = own)
    return own.stop
  })
  afterEach(async () => {
    await admin.replicaof('NO', 'ONE')
    await admin.config('SET', 'maxmemory', 0, 'maxmemory-policy', 'noeviction', 'min-replicas-to-write', 0)
    await admin.flushall()
  })

  test('C-18 a script that was forgotten is sent once, and never again until it is forgotten', async () => {
    const store = storeFor(ioredis6(address))
    await store.check()
    const sent = async () => (await admin.info('commandstats')).match(/cmdstat_eval:calls=(\d+)/)?.[1]
    for (const round of [1, 2, 3]) {
      await admin.script('FLUSH')
      await admin.config('RESETSTAT')
      for (const key of ['a', 'b', 'c']) await store.begin(`${key}${round}`, claim)
      expect(await sent()).toBe('1')
    }
  })

  test('histories stay linearizable while the script is forgotten again and again', { timeout: 120_000 }, async () => {
    let running = true
    const flushes = (async () => {
      let count = 0
      for (; running; count++) await admin.script('FLUSH')
      return count
    })()
    try {
      await checks.find(({ id }) => id === 'C18')?.run(harness(() => ioredis6(address), { unreachable: never }))
    } finally {
      running = false
    }
    expect(await flushes).toBeGreaterThan(8)
  })

  test('when memory is full a call is refused as a whole, and replays go on', async () => {
    const prefix = freshPrefix()
    const client = ioredis6(address)
    const store = redisStore({ client, prefix })
    const settled = await store.begin('settled', claim)
    await store.transition('settled', settled.token, { to: 'completed', result: bytesOf('kept'), retentionMs: 60_000 })
    const running = await store.begin('running', claim)
    await admin.config('SET', 'maxmemory', '3mb')

    const request = new Uint8Array(20_000)
    let refusal: unknown
    for (let i = 0; i < 10_000 && !refusal; i++) {
      refusal = await store.begin(`key-${i}`, { ...claim, request }).then(
        () => undefined,
        (error: unknown) => error,
      )
    }
    expect(refusal).toBeInstanceOf(StoreUnavailableError)
    expect(refusal).toMatchObject({ applied: 'no', message: expect.stringContaining('raise maxmemory') })
    const settling = store.transition('running', running.token, {
      to: 'completed',
      result: request,
      retentionMs: 1_000,
    })
    await expect(settling).rejects.toMatchObject({ applied: 'no' })

    expect(await store.begin('settled', { ...claim, owner: 'other' })).toMatchObject({ outcome: 'settled' })
    expect(await store.get('running')).toMatchObject({ state: 'in_progress', token: running.token, result: null })
    for (const key of await admin.keys(`${prefix}*`)) {
      expect(await store.get(key.slice(prefix.length))).toMatchObject({ attempt: 1, fingerprint: 'fingerprint' })
      expect(await admin.pttl(key)).toBeGreaterThan(0)
    }
    const resending = storeFor(new Redis(address), { prefix })
    await expect(resending.begin('one-more', { ...claim, request })).rejects.toMatchObject({ applied: 'unknown' })

    await admin.config('SET', 'maxmemory', 0)
    expect(await store.begin('one-more', { ...claim, request })).toMatchObject({ outcome: 'acquired', attempt: 1 })
    client.disconnect()
  })

  test('a policy that evicts records is refused, until it is changed or accepted', async () => {
    const store = storeFor(ioredis6(address))
    const daring = storeFor(ioredis6(address), { allowEviction: true })
    for (const policy of ['allkeys-lru', 'volatile-ttl']) {
      await admin.config('SET', 'maxmemory-policy', policy)
      await expect(store.check()).rejects.toThrow(StoreMisconfiguredError)
      await expect(store.begin('key', claim)).rejects.toThrow(`maxmemory-policy is ${policy}`)
      await daring.check()
    }
    expect(await daring.begin('key', claim)).toMatchObject({ outcome: 'acquired' })
    await admin.config('SET', 'maxmemory-policy', 'noeviction')
    expect(await store.begin('key', claim)).toMatchObject({ outcome: 'acquired' })
  })

  test('a user that may not ask for the policy is warned, and served', async () => {
    await admin.acl('SETUSER', 'app', 'on', '>secret', '~*', '+@all', '-info', '-publish')
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    const store = storeFor(ioredis6(address, { username: 'app', password: 'secret', enableReadyCheck: false }))
    const { token } = await store.begin('key', claim)
    expect((await warned).message).toContain('make sure that it is noeviction')
    // nor may it publish: that is a hint that nobody gets
    const settled = await store.transition('key', token, { to: 'completed', result: bytesOf('1'), retentionMs: 60_000 })
    expect(settled).toEqual({ outcome: 'ok', applied: true })
  })

  test.each([
    ['a user that may not run the script', ['~*', '+@all', '-evalsha'], /Its user needs evalsha/],
    ['a user that may not touch the keys', ['~other:*', '+@all'], /Its user needs evalsha/],
  ])('%s is told', async (_, rules, why) => {
    await admin.acl('SETUSER', 'weak', 'reset', 'on', '>secret', ...rules)
    const store = storeFor(ioredis6(address, { username: 'weak', password: 'secret' }))
    await expect(store.begin('key', claim)).rejects.toThrow(StoreMisconfiguredError)
    await expect(store.get('key')).rejects.toThrow(why)
  })

  test('a wrong password is told', async () => {
    const store = storeFor(ioredis6(address, { username: 'app', password: 'wrong', retryStrategy: () => null }))
    await expect(store.begin('key', claim)).rejects.toThrow(/WRONGPASS|NOAUTH|closed/)
  })

  test('what is no record is left alone', async () => {
    const prefix = freshPrefix()
    await admin.set(`${prefix}key`, 'of somebody else')
    const store = storeFor(ioredis6(address), { prefix })
    await expect(store.begin('key', claim)).rejects.toThrow(/prefix of its own/)
    expect(await admin.get(`${prefix}key`)).toBe('of somebody else')
  })

  test('a server that wants replicas and has none refuses, and changes nothing', async () => {
    const store = storeFor(ioredis6(address))
    const { token } = await store.begin('key', claim)
    await admin.config('SET', 'min-replicas-to-write', 1)
    const refused = { applied: 'no', message: expect.stringContaining('min-replicas-to-write') }
    await expect(store.begin('new', claim)).rejects.toMatchObject(refused)
    await expect(store.transition('key', token, { to: 'parked', retentionMs: 1 })).rejects.toMatchObject(refused)
    await admin.config('SET', 'min-replicas-to-write', 0)
    expect(await store.get('new')).toBeNull()
    expect(await store.get('key')).toMatchObject({ state: 'in_progress', token })
  })

  test('a replica is refused at first use; a primary that becomes one refuses to write', async () => {
    const early = storeFor(ioredis6(address))
    await early.check()
    await admin.replicaof(nobody.host, nobody.port)
    await expect(storeFor(ioredis6(address)).get('key')).rejects.toThrow(/connect to the primary/)
    await expect(early.begin('key', claim)).rejects.toMatchObject({
      applied: 'no',
      code: 'IDEMPOTENCY_STORE_UNAVAILABLE',
    })
    await admin.replicaof('NO', 'ONE')
    expect(await early.begin('key', claim)).toMatchObject({ outcome: 'acquired' })
  })

  test('a script of somebody else that keeps the server busy', async () => {
    const store = storeFor(ioredis6(address))
    await store.check()
    await admin.config('SET', 'busy-reply-threshold', 1)
    const stranger = ioredis6(address)
    const busy = stranger.eval('while true do end', 0).catch(() => {})
    const answer = async () => store.begin('key', claim).catch((error: unknown) => error)
    await expect.poll(answer).toMatchObject({ applied: 'no', message: expect.stringContaining('BUSY') })
    await admin.script('KILL')
    await busy
    stranger.disconnect()
    expect(await store.begin('key', claim)).toMatchObject({ outcome: 'acquired' })
  })

  test('a server that hangs: no answer is made up, and the same begin sent again gets its token', async () => {
    const store = storeFor(ioredis6(address, { commandTimeout: 200 }))
    await store.check()
    node.signal('SIGSTOP')
    const hanging = store.begin('key', claim)
    await expect(hanging).rejects.toMatchObject({ applied: 'unknown', message: expect.stringContaining('timed out') })
    node.signal('SIGCONT')
    const { token } = await store.begin('key', claim)
    expect(await store.begin('key', claim)).toMatchObject({ outcome: 'acquired', token, attempt: 1 })
  })

  test('a client that keeps nothing for later refuses while it is not connected, and nothing has changed', async () => {
    const store = storeFor(ioredis6(nobody, { enableOfflineQueue: false }))
    await expect(store.begin('key', claim)).rejects.toMatchObject({ applied: 'no' })
    const resending = storeFor(new Redis({ ...nobody, enableOfflineQueue: false }).on('error', () => {}))
    await expect(resending.begin('key', claim)).rejects.toMatchObject({ applied: 'unknown' })
  })

  test.each(clients)('a server that is killed before it answers, %s', async (_, connect) => {
    const store = storeFor(connect(address))
    await store.check()
    node.signal('SIGSTOP')
    const unanswered = expect(store.begin('key', claim)).rejects.toMatchObject({ applied: 'unknown' })
    await node.kill()
    await unanswered
    await node.start()
    expect(await store.begin('key', claim)).toMatchObject({ outcome: 'acquired' })
  })

  test('a client that sends again what was unanswered gets the token that its first sending got', async () => {
    const client = new Redis({ ...address, retryStrategy: () => 1 })
    const store = storeFor(client)
    await store.check()
    for (let i = 0; i < 40; i++) {
      const replies = Promise.all(['a', 'b'].map((name) => store.begin(`${name}-${i}`, claim)))
      // some of the calls have arrived by now, and none was answered
      if (i % 2 > 0) await new Promise(setImmediate)
      client.disconnect(true)
      for (const reply of await replies) expect(reply).toMatchObject({ outcome: 'acquired', attempt: 1 })
      expect((await store.get(`a-${i}`))?.token).toBe((await replies)[0]?.token)
    }
  })

  test('a server that stops and comes back: calls wait for it where the client says so', async () => {
    const store = storeFor(new Redis({ port: address.port, host: address.host }).on('error', () => {}))
    const { token } = await store.begin('key', claim)
    await node.stop()
    const waiting = store.begin('key', { ...claim, owner: 'other' })
    await node.start()
    // it kept nothing: what a restart loses is forgotten, but no token comes twice
    const again = await waiting
    expect(again).toMatchObject({ outcome: 'acquired', attempt: 1 })
    expect(again.token).toBeGreaterThan(token)
  })

  test('whatever is called, Redis removes the record a minute after it has expired', async () => {
    const prefix = freshPrefix()
    const store = storeFor(ioredis6(address), { prefix })
    const ms = fc.integer({ min: 0, max: 100_000 })
    const change = fc.constantFrom('renew', 'completed', 'released', 'parked', 'forgotten', 'begin')
    await fc.assert(
      fc.asyncProperty(
        fc.uuid(),
        ms,
        fc.array(fc.tuple(change, ms, ms), { maxLength: 6 }),
        async (key, first, calls) => {
          const begin = (a: number, b: number) => store.begin(key, { ...claim, leaseMs: a, retentionMs: b })
          let { token } = await begin(first, first)
          for (const [to, a, b] of calls) {
            if (to === 'begin') token = (await begin(a, b)).token
            else if (to === 'renew') await store.transition(key, token, { to, leaseMs: a, retentionMs: b })
            else if (to === 'released') await store.transition(key, token, { to, delayMs: a, retentionMs: b })
            else if (to === 'parked') await store.transition(key, token, { to, retentionMs: b })
            else if (to === 'forgotten') await store.transition(key, token, { to, tombstoneMs: a })
            else await store.transition(key, token, { to, result: bytesOf('1'), retentionMs: b })
          }
          const { record } = toSeen({ now: 0, found: (await admin.getBuffer(prefix + key)) ?? Buffer.of() })
          const removedAt = await admin.pexpiretime(prefix + key)
          expect(removedAt).toBe(Math.ceil(Number(record?.expiresAt) / 1000) + 60_000)
        },
      ),
      { numRuns: 100 },
    )
  })

  test('a value of the largest size', async () => {
    const store = storeFor(ioredis6(address))
    const request = new Uint8Array(store.capabilities.maxValueBytes).fill(7)
    await store.begin('key', { ...claim, request })
    expect(Buffer.compare((await store.get('key'))?.request ?? new Uint8Array(), request)).toBe(0)
  })

  test('a fresh call takes two round trips, a replay and a conflict one', async () => {
    const client = ioredis6(address)
    const store = storeFor(client)
    await store.check()
    await store.get('warm')
    let sent = 0
    const send = client.sendCommand.bind(client)
    client.sendCommand = (...command) => {
      sent++
      return send(...command)
    }
    const tripsOf = async (work: () => Promise<unknown>) => {
      const before = sent
      await work()
      return sent - before
    }
    const idempotency = createIdempotency({ store, namespace: 'trips', lease: '1m', retention: '1h' })
    const call = { operation: 'charge', scope: 'tenant', key: 'key', payload: { amount: 1 } }
    let conflict = 0
    const fresh = await tripsOf(() =>
      idempotency.run(call, async () => {
        conflict = await tripsOf(() =>
          expect(idempotency.run(call, async () => 2)).rejects.toThrow(IdempotencyInProgressError),
        )
        return 1
      }),
    )
    const replay = await tripsOf(() => idempotency.run(call, async () => 3))
    expect({ fresh: fresh - conflict, conflict, replay }).toEqual({ fresh: 2, conflict: 1, replay: 1 })
  })
})

const never = () => {
  throw new Error('this check needs no unreachable store')
}
