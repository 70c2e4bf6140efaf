/** A Redis that is killed: with a circuit breaker its calls are refused at once, and let through again once it is back. */
import { createIdempotency, guardStore, StoreUnavailableError, unscoped } from '@retryproof/core'
import { type RedisStore, redisStore } from '@retryproof/redis'
import { ConsecutiveBreaker, circuitBreaker, handleType } from 'cockatiel'
import { Redis } from 'ioredis'
import CircuitBreaker from 'opossum'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type OwnNode, type Service, startService, unavailable } from '../../../scripts/services.mjs'

/** The time for which an open circuit refuses, before one call is let through. */
const OPEN_MS = 1_500
const FAILURES = 3

type Execute = <T>(call: () => Promise<T>) => Promise<T>

const breakers: Record<string, () => Execute> = {
  cockatiel() {
    const breaker = circuitBreaker(handleType(StoreUnavailableError), {
      halfOpenAfter: OPEN_MS,
      breaker: new ConsecutiveBreaker(FAILURES),
    })
    return (call) => breaker.execute(call)
  },
  opossum() {
    const breaker = new CircuitBreaker((call: () => Promise<unknown>) => call(), {
      timeout: false,
      resetTimeout: OPEN_MS,
      volumeThreshold: FAILURES,
      errorThresholdPercentage: 50,
      errorFilter: (error) => !(error instanceof StoreUnavailableError),
    })
    onTestFinished(() => breaker.shutdown())
    return <T>(call: () => Promise<T>) => breaker.fire(call) as Promise<T>
  },
}

const missing = await unavailable('redis')

describe.skipIf(missing)('C-08 a Redis that is killed', { timeout: 60_000 }, () => {
  let server: Service<OwnNode>
  beforeAll(async () => {
    server = await startService('redis')
  }, 60_000)
  afterAll(() => server.stop())

  function open(execute: Execute) {
    const client = new Redis(server.url, {
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => 20,
    })
    client.on('error', () => {})
    onTestFinished(() => client.disconnect())
    const store = redisStore({ client, prefix: `${crypto.randomUUID()}:` })
    let sent = 0
    const counted: RedisStore = {
      ...store,
      begin(key, claim) {
        sent++
        return store.begin(key, claim)
      },
    }
    const guarded = guardStore(counted, execute)
    return { guarded, idempotency: createIdempotency({ store: guarded, namespace: 'n' }), sent: () => sent }
  }

  const claim = { owner: 'o', fingerprint: 'f', leaseMs: 1000, retentionMs: 60_000 }
  const call = (key: string) => ({ operation: 'charge', scope: unscoped, key }) as const

  test.each(Object.keys(breakers))('%s: open, then half open, then closed', async (name) => {
    const { guarded, idempotency, sent } = open(breakers[name]?.() ?? (() => Promise.reject(new Error(name))))
    expect(await idempotency.run(call('before'), () => 'paid')).toMatchObject({ value: 'paid' })
    const [node] = server.nodes as [OwnNode]
    await node.kill()
    await vi.waitFor(async () => {
      const before = sent()
      await expect(guarded.begin('n.charge.0', claim)).rejects.toBeInstanceOf(StoreUnavailableError)
      expect(sent()).toBe(before)
    }, 10_000)

    // open: nothing is sent, nobody waits, and nothing can have changed
    const before = sent()
    await expect(guarded.begin('n.charge.0', claim)).rejects.toMatchObject({ applied: 'no' })
    const handler = vi.fn()
    await expect(idempotency.run(call('during'), handler)).rejects.toMatchObject({
      code: 'IDEMPOTENCY_STORE_UNAVAILABLE',
      applied: 'no',
    })
    expect(handler).not.toHaveBeenCalled()
    expect(sent()).toBe(before)

    await node.start()
    // half open: the first call that is let through closes it, and what was recorded is still replayed
    await vi.waitFor(
      async () => expect(await idempotency.run(call('after'), () => 'paid')).toMatchObject({ value: 'paid' }),
      { timeout: 10_000, interval: 50 },
    )
    expect(await idempotency.run(call('after'), handler)).toMatchObject({ value: 'paid', replayed: true })
  })

  test('without one, every call is sent to the server that is gone', async () => {
    const { guarded, idempotency, sent } = open((each) => each())
    await idempotency.run(call('before'), () => 'paid')
    const [node] = server.nodes as [OwnNode]
    await node.kill()
    for (let tries = 1; tries <= 3 * FAILURES; tries++) {
      const before = sent()
      await expect(guarded.begin('n.charge.0', claim)).rejects.toBeInstanceOf(StoreUnavailableError)
      expect(sent()).toBe(before + 1)
    }
    await node.start()
  })
})
