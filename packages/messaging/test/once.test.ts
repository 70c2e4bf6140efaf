import {
  createIdempotency,
  IdempotencyInvalidOptionError,
  type IdempotencyStore,
  notStarted,
  release,
  terminal,
  unreplayable,
  unscoped,
} from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { type DeadLetter, type IncomingMessage, type OnceOptions, once, type Verdict } from '../src/index.ts'

const RUNS = { numRuns: 200 }
const minutesMs = (minutes: number) => minutes * 60_000

/** A consumer whose time passes only when it is told to. */
function consumerOf(options: OnceOptions<false> = {}) {
  let nowMs = 1_000_000
  const store = memoryStore({ now: () => nowMs })
  const letters: DeadLetter[] = []
  const idempotency = createIdempotency({ store, namespace: 'test' })
  return {
    store,
    letters,
    idempotency,
    pass(ms: number) {
      nowMs += ms
    },
    deliver(work: (attempt?: unknown) => unknown, message: Partial<IncomingMessage> = {}): Promise<Verdict> {
      const deadLetter = async (letter: DeadLetter) => letters.push(letter)
      const incoming = { operation: 'orders', id: 'm1', scope: 'tenant', payload: 'p', deadLetter, ...message }
      return once(idempotency, incoming, work, options)
    },
    /** An attempt that falls silent: its process was killed. */
    async crash() {
      const crashing = createIdempotency({ store: silent(store), namespace: 'test', settleTimeout: 1 })
      const deadLetter = async () => {}
      const incoming = { operation: 'orders', id: 'm1', scope: 'tenant', payload: 'p', deadLetter }
      await once(crashing, incoming, () => undefined, options)
      nowMs += minutesMs(1)
    },
  }
}

/** Begins, and then says nothing. */
function silent(store: IdempotencyStore<unknown>): IdempotencyStore<unknown> {
  return { ...store, transition: () => new Promise(() => {}) }
}

const fail = () => {
  throw new Error('no')
}

test('a message is handled, and its duplicate is acknowledged', async () => {
  const { deliver } = consumerOf()
  let runs = 0
  const work = () => ++runs
  expect(await deliver(work)).toEqual({ action: 'ack', because: 'handled', attempt: 1 })
  expect(await deliver(work)).toEqual({ action: 'ack', because: 'duplicate' })
  expect(runs).toBe(1)
})

test('what a handler returns need not be a value that can be recorded', async () => {
  const { deliver } = consumerOf()
  const circular: { self?: unknown } = {}
  circular.self = circular
  expect(await deliver(() => circular)).toMatchObject({ because: 'handled' })
  expect(await deliver(() => circular)).toMatchObject({ because: 'duplicate' })
})

test('a message that is handed back is redelivered', async () => {
  const { deliver } = consumerOf()
  expect(await deliver(() => release('not now'))).toMatchObject({ action: 'redeliver', because: 'released' })
  expect(await deliver(() => undefined)).toMatchObject({ because: 'handled', attempt: 2 })
})

test('attempts that crash count: a message that kills its consumer is given up', async () => {
  const { deliver, crash, letters } = consumerOf({ maxAttempts: 3 })
  for (const _ of [1, 2, 3]) await crash()
  let runs = 0
  expect(await deliver(() => ++runs)).toMatchObject({ because: 'dead-letter' })
  expect(letters).toMatchObject([{ reason: 'max-attempts', attempts: 3 }])
  expect(runs).toBe(0)
  expect(await deliver(() => ++runs)).toMatchObject({ because: 'duplicate' })
})

test('deliveries that find a message in progress do not count as attempts', async () => {
  const { deliver, letters } = consumerOf({ maxAttempts: 2 })
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const first = deliver(() => opened)
  for (let i = 0; i < 10; i++) expect(await deliver(fail)).toMatchObject({ because: 'in-progress' })
  open()
  expect(await first).toMatchObject({ because: 'handled', attempt: 1 })
  expect(letters).toEqual([])
})

test('a dead letter that is not confirmed is settled nowhere, and the message comes back', async () => {
  const { deliver, letters } = consumerOf({ maxAttempts: 1 })
  let isAway = true
  const deadLetter = async (letter: DeadLetter) => {
    if (isAway) throw new Error('away')
    letters.push(letter)
  }
  expect(await deliver(fail, { deadLetter })).toMatchObject({ action: 'redeliver', because: 'unavailable' })
  isAway = false
  expect(await deliver(() => undefined, { deadLetter })).toMatchObject({ because: 'dead-letter' })
  expect(letters).toMatchObject([{ reason: 'max-attempts' }])
})

test('of many copies of a message that is given up, one makes the dead letter', async () => {
  const { deliver, letters } = consumerOf({ maxAttempts: 1 })
  const verdicts = await Promise.all(Array.from({ length: 20 }, () => deliver(fail)))
  expect(letters.length).toBe(1)
  for (const { because } of verdicts) expect(['dead-letter', 'in-progress', 'duplicate']).toContain(because)
})

test('a parked message waits for a person among the dead letters', async () => {
  const { deliver, crash, letters, idempotency } = consumerOf({ onTakeover: 'park' })
  await crash()
  expect(await deliver(fail)).toMatchObject({ because: 'dead-letter' })
  expect(letters).toMatchObject([{ reason: 'outcome-unknown' }])
  await idempotency.resolve({ operation: 'orders', scope: 'tenant', key: 'm1' }, { completed: undefined })
  expect(await deliver(fail)).toMatchObject({ because: 'duplicate' })
})

test('a record that cannot be read is left alone', async () => {
  const { deliver, store, letters } = consumerOf()
  await deliver(() => undefined)
  const broken: IdempotencyStore<unknown> = {
    ...store,
    async begin(key, claim) {
      return { ...(await store.begin(key, claim)), result: new Uint8Array([255, 1, 2]) }
    },
  }
  const idempotency = createIdempotency({ store: broken, namespace: 'test' })
  const deadLetter = async (letter: DeadLetter) => letters.push(letter)
  const message = { operation: 'orders', id: 'm1', scope: 'tenant', payload: 'p', deadLetter }
  expect(await once(idempotency, message, fail)).toMatchObject({ because: 'dead-letter' })
  expect(letters).toMatchObject([{ reason: 'undecodable' }])
})

describe('an error that the handler throws is its own', () => {
  /** A nested operation that is done, so that each further call of it throws. */
  async function nested(idempotency: ReturnType<typeof consumerOf>['idempotency']) {
    const call = { operation: 'charges', scope: unscoped, key: 'k', payload: 1 } as const
    await idempotency.run(call, () => unreplayable('a secret'))
    return {
      done: () => idempotency.run(call, () => 0),
      reused: () => idempotency.run({ ...call, payload: 2 }, () => 0),
      invalid: () => idempotency.run({ ...call, key: '' }, () => 0),
    }
  }

  test.each(['done', 'reused', 'invalid'] as const)('where a nested call is %s, past `maxRun` too', async (name) => {
    const { deliver, idempotency, letters } = consumerOf({ maxRun: 20, maxAttempts: 3 })
    const charges = await nested(idempotency)
    expect(await deliver(() => charges[name]())).toMatchObject({ action: 'redeliver', because: 'failed' })
    const late = async (attempt?: unknown) => {
      const { signal } = attempt as { signal: AbortSignal }
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      return charges[name]()
    }
    const message = { operation: 'orders', id: 'm2', scope: 'tenant', payload: 'p', deadLetter: async () => {} }
    expect(await once(idempotency, message, late, { maxRun: 20 })).toMatchObject({ because: 'failed' })
    expect(letters).toEqual([])
  })

  test('and where it is terminal, a dead letter', async () => {
    const { deliver, letters } = consumerOf()
    const work = () => {
      throw terminal(new Error('never'))
    }
    expect(await deliver(work)).toMatchObject({ because: 'dead-letter' })
    expect(letters).toMatchObject([{ reason: 'failed', description: 'Failed for good: never' }])
    expect(await deliver(work)).toMatchObject({ because: 'duplicate' })
  })

  test('and where it did not start, a failure', async () => {
    const { deliver } = consumerOf({ onTakeover: 'park' })
    const work = () => {
      throw notStarted(new Error('locked'))
    }
    expect(await deliver(work)).toMatchObject({ because: 'failed', error: { message: 'locked' } })
    expect(await deliver(() => undefined)).toMatchObject({ because: 'handled', attempt: 2 })
  })

  test('and whatever it is, one dead letter comes of it', () =>
    fc.assert(
      fc.asyncProperty(
        fc.anything({ withNullPrototype: true, withBigInt: true }),
        fc.boolean(),
        async (thrown, isAsync) => {
          const { deliver, letters } = consumerOf({ maxAttempts: 1 })
          const work = () => {
            if (isAsync) return Promise.reject(thrown)
            throw thrown
          }
          expect(await deliver(work)).toMatchObject({ because: 'dead-letter' })
          expect(letters).toMatchObject([{ reason: 'max-attempts' }])
          expect(await deliver(work)).toMatchObject({ because: 'duplicate' })
        },
      ),
      RUNS,
    ))
})

test('a handler that outlasts `maxRun` is left to itself, and the message is told to come back', async () => {
  const { deliver } = consumerOf({ maxRun: 20, lease: '1s' })
  expect(await deliver(() => new Promise(() => {}))).toMatchObject({ because: 'timed-out' })
  expect(await deliver(fail)).toMatchObject({ because: 'in-progress' })
})

test('a handler that ends soon after its signal aborted is waited for', async () => {
  const { deliver } = consumerOf({ maxRun: 20, lease: '1s' })
  const work = () => new Promise((resolve) => setTimeout(resolve, 100))
  expect(await deliver(work)).toMatchObject({ because: 'handled' })
})

test.each([
  ['a promise', async () => 'store'],
  ['a promise that rejects', async () => Promise.reject(new Error('too late'))],
  ['nonsense', () => 'never'],
  ['a delay that is none', () => ({ retry: 'soon' })],
])('an `onFailure` that gives %s decides nothing, and says so', async (_, onFailure) => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const { deliver } = consumerOf({ onFailure: onFailure as never })
  expect(await deliver(fail)).toMatchObject({ because: 'failed', error: { message: 'no' } })
  expect(warned).toHaveBeenCalledWith('`onFailure` decided nothing, so the message comes back', expect.anything())
  warned.mockRestore()
})

test('a release with a delay says so, and without one comes back later and later', async () => {
  const { deliver } = consumerOf({ redeliveryDelay: { first: 1000 } })
  const delayOf = async (work: () => unknown, deliveries: number) => {
    const verdict = await deliver(work, { deliveries })
    if (verdict.action !== 'redeliver') throw new Error(JSON.stringify(verdict))
    return verdict.delayMs
  }
  expect(await delayOf(() => release('not now', { delay: 0 }), 1)).toBeLessThanOrEqual(1000)
  expect(await delayOf(() => release('not now', { delay: 0 }), 4)).toBeGreaterThan(4000 - 1)
  expect(await delayOf(() => release('not now', { delay: '5m' }), 1)).toBe(300_050)
})

test('whatever a publisher makes of id, scope, payload and counts, there is a verdict', () =>
  fc.assert(
    fc.asyncProperty(
      fc.record({ id: fc.anything(), scope: fc.anything(), payload: fc.anything(), deliveries: fc.anything() }),
      async (message) => {
        const { deliver } = consumerOf()
        const verdict = await deliver(() => undefined, message as Partial<IncomingMessage>)
        expect(['handled', 'dead-letter']).toContain(verdict.because)
        const failing = await consumerOf().deliver(fail, { deliveries: message.deliveries as number })
        expect(failing).toMatchObject({ because: 'failed', delayMs: expect.any(Number) })
      },
    ),
    RUNS,
  ))

describe('the last delivery', () => {
  test('of a message that fails is a dead letter, and settled', async () => {
    const { deliver, letters } = consumerOf()
    expect(await deliver(fail, { isLastDelivery: true })).toMatchObject({ because: 'dead-letter' })
    expect(letters).toMatchObject([{ reason: 'last-delivery' }])
    expect(await deliver(fail)).toMatchObject({ because: 'duplicate' })
  })

  test('of a message in progress is a dead letter, and its record is not touched', async () => {
    const { deliver, letters } = consumerOf()
    let open = () => {}
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    const first = deliver(() => opened)
    expect(await deliver(fail, { isLastDelivery: true })).toMatchObject({ because: 'dead-letter' })
    open()
    expect(await first).toMatchObject({ because: 'handled' })
    expect(letters).toMatchObject([{ reason: 'last-delivery' }])
  })
})

describe('delays', () => {
  const durations = fc.record({ first: fc.integer({ min: 1, max: 10_000 }), factor: fc.integer({ min: 1, max: 1000 }) })

  test(
    'grow with each failure, and end at the longest',
    () =>
      fc.assert(
        fc.asyncProperty(durations, fc.integer({ min: 1, max: 8 }), async ({ first, factor }, failures) => {
          const max = first * factor
          const { deliver, pass } = consumerOf({ redeliveryDelay: { first, max }, maxAttempts: 100 })
          for (let n = 1; n <= failures; n++) {
            const verdict = await deliver(fail)
            if (verdict.action !== 'redeliver') throw new Error(JSON.stringify(verdict))
            const ceiling = Math.min(max, first * 2 ** (n - 1))
            // the margin included, after which the store says so too
            expect(verdict.delayMs).toBeGreaterThan(ceiling / 2)
            expect(verdict.delayMs).toBeLessThanOrEqual(ceiling + 51)
            pass(verdict.delayMs)
          }
          expect(await deliver(() => undefined)).toMatchObject({ because: 'handled', attempt: failures + 1 })
        }),
        { numRuns: 100 },
      ),
    30_000,
  )

  test('a message comes back no later than the lease of its silent holder ends', async () => {
    const { deliver, store } = consumerOf({ lease: '10s' })
    const holder = createIdempotency({ store: silent(store), namespace: 'test', settleTimeout: 1 })
    const incoming = { operation: 'orders', id: 'm1', scope: 'tenant', payload: 'p', deadLetter: async () => {} }
    await once(holder, incoming, () => undefined, { lease: '10s' })
    const verdict = await deliver(fail, { deliveries: 20 })
    expect(verdict).toMatchObject({ because: 'in-progress' })
    expect(verdict.action === 'redeliver' && verdict.delayMs).toBeLessThanOrEqual(10_051)
  })
})

describe('options', () => {
  const wrong: readonly [string, OnceOptions<boolean>, string][] = [
    ['a retention that ends before the message does', { retention: '1d', redeliveryWindow: '4d' }, 'retention'],
    ['half an attempt', { maxAttempts: 0.5 }, 'maxAttempts'],
    ['delays that shrink', { redeliveryDelay: { first: '1m', max: '1s' } }, 'redeliveryDelay.max'],
    ['a transaction where there is none', { transaction: true }, 'transaction'],
    ['what is no duration', { redeliveryWindow: 'soon' as '1s' }, 'redeliveryWindow'],
    ['what is no option', { retires: 3 } as OnceOptions<boolean>, 'retires'],
  ]
  test.each(wrong)('%s is refused', async (_, options, option) => {
    const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
    const message = { operation: 'orders', id: 'm1', scope: 'tenant', deadLetter: async () => {} }
    const refused = once(idempotency, message, fail, options)
    await expect(refused).rejects.toSatisfy(
      (error) => error instanceof IdempotencyInvalidOptionError && error.option === option,
    )
  })

  test('a longer window makes a longer retention, unless one is given', async () => {
    const { deliver, idempotency } = consumerOf({ redeliveryWindow: '14d' })
    await deliver(() => undefined)
    const record = await idempotency.inspect({ operation: 'orders', scope: 'tenant', key: 'm1' })
    expect(record?.retentionRemainingMs).toBe(14 * 86_400_000)
  })
})
