import { memoryStore } from '@retryproof/memory'
import { describe, expect, test, vi } from 'vitest'
import {
  type Attempt,
  type Codec,
  createIdempotency,
  IdempotencyInvalidStepError,
  type Steps,
  unscoped,
} from '../src/index.ts'

const call = { operation: 'order', scope: unscoped, key: 'k' } as const
type Running = Attempt & Steps<unknown>

function open() {
  let now = 1_000_000
  const store = memoryStore({ now: () => now })
  const instance = () => createIdempotency({ store, namespace: 'n', lease: '1s' })
  return {
    store,
    idempotency: instance(),
    /** Runs `handler` in a process that dies once `until` resolves, and lets its lease go by. */
    async crash(handler: (attempt: Running, dead: () => Promise<never>) => Promise<unknown>): Promise<void> {
      const process = instance()
      await new Promise<void>((crashed) => {
        const dead = () => {
          crashed()
          return new Promise<never>(() => {})
        }
        void process.run(call, (attempt) => handler(attempt, dead)).catch(() => {})
      })
      await process.drain({ timeout: 0 })
      now += 2000
    },
  }
}

test.each([0, 1, 2, 3])('C-13 killed after step %i: each step is taken once, in order', async (survived) => {
  const { idempotency, crash } = open()
  const names = ['reserve', 'charge', 'ship']
  const effects: string[] = []
  const order =
    (dieBefore: number, dead: () => Promise<never>) =>
    async ({ step }: Running): Promise<unknown[]> => {
      const values: unknown[] = []
      for (const [index, name] of names.entries()) {
        if (index === dieBefore) await dead()
        values.push(
          await step(name, () => {
            effects.push(name)
            return { name, at: effects.length }
          }),
        )
      }
      if (dieBefore === names.length) await dead()
      return values
    }
  await crash((attempt, dead) => order(survived, dead)(attempt))
  expect(effects).toEqual(names.slice(0, survived))
  const { value, attempt } = await idempotency.run(
    call,
    order(-1, async () => Promise.reject(new Error('alive'))),
  )
  expect(effects).toEqual(names)
  expect(value).toEqual(names.map((name, index) => ({ name, at: index + 1 })))
  expect(attempt).toBe(2)
})

test('a step costs one round trip, which renews the lease', async () => {
  const { store, idempotency } = open()
  const transition = vi.spyOn(store, 'transition')
  const observed = createIdempotency({ store, namespace: 'm', lease: '1s' })
  await observed.run(call, ({ step }) => step('one', () => 1))
  expect(transition.mock.calls.map(([, , { to }]) => to)).toEqual(['renew', 'completed'])
  expect(transition.mock.calls[0]?.[2]).toMatchObject({ leaseMs: 1000, checkpoint: { seq: 1 } })
  await idempotency.drain()
})

test('a step that throws is not recorded, and a failed attempt keeps the steps before it', async () => {
  const { idempotency } = open()
  const charge = vi.fn(() => 'charged')
  const first = idempotency.run(call, async ({ step }) => {
    await step('charge', charge)
    await step('ship', () => Promise.reject(new Error('no truck')))
  })
  await expect(first).rejects.toThrow('no truck')
  const { value } = await idempotency.run(call, async ({ step, checkpoint }) => [
    checkpoint,
    await step('charge', charge),
    await step('ship', () => undefined),
  ])
  expect(value).toEqual([[{ name: 'charge', value: 'charged' }], 'charged', null])
  expect(charge).toHaveBeenCalledOnce()
})

test('a changed list of steps is refused, before anything is done twice', async () => {
  const { idempotency } = open()
  await idempotency
    .run(call, async ({ step }) => {
      await step('charge', () => 1)
      throw new Error('later')
    })
    .catch(() => {})
  const effect = vi.fn()
  await expect(idempotency.run(call, ({ step }) => step('refund', effect))).rejects.toBeInstanceOf(
    IdempotencyInvalidStepError,
  )
  expect(effect).not.toHaveBeenCalled()
})

test.each<[string, (attempt: Running) => Promise<unknown>]>([
  ['two steps of one name', async ({ step }) => [await step('a', () => 1), await step('a', () => 2)]],
  ['two steps at once', ({ step }) => Promise.all([step('a', () => new Promise(() => {})), step('b', () => 2)])],
  ['a value that JSON cannot hold', ({ step }) => step('a', () => 1n)],
  ['a function', ({ step }) => step('a', () => () => 1)],
])('%s is refused', async (_, handler) => {
  await expect(open().idempotency.run(call, handler)).rejects.toBeInstanceOf(IdempotencyInvalidStepError)
})

test('a bad name is refused', async () => {
  const { idempotency } = open()
  await expect(idempotency.run(call, ({ step }) => step('a b', () => 1))).rejects.toMatchObject({ option: 'step' })
})

describe('a step whose value cannot be recorded is taken all the same', () => {
  const axiosLike: { config: { self?: unknown } } = { config: {} }
  axiosLike.config.self = axiosLike
  class Money {
    currency = 'EUR'
    #cents = 100
    cents(): number {
      return this.#cents
    }
  }

  test.each<[string, () => unknown]>([
    ['a BigInt', () => ({ id: 1n })],
    ['a cycle', () => axiosLike],
    ['a function', () => () => 1],
    ['a Map', () => ({ balances: new Map([['ann', 1]]) })],
    ['a Set', () => new Set([1])],
    ['an invalid date', () => ({ at: new Date(Number.NaN) })],
    ['a class with private members', () => [new Money()]],
    ['a promise inside of it', () => ({ later: Promise.resolve(1) })],
  ])('%s: its effect is not repeated', async (_, effect) => {
    const { idempotency } = open()
    const charge = vi.fn(effect)
    const handler = async ({ step }: Running) => {
      await step('reserve', () => 'reserved')
      await step('charge', charge)
    }
    await expect(idempotency.run(call, handler)).rejects.toMatchObject({ code: 'IDEMPOTENCY_INVALID_STEP' })
    for (const _attempt of [2, 3]) {
      const again = idempotency.run(call, handler)
      await expect(again).rejects.toMatchObject({ code: 'IDEMPOTENCY_NOT_REPLAYABLE', reason: 'not-serializable' })
    }
    expect(charge).toHaveBeenCalledOnce()
  })

  test('a handler may continue with the steps after it', async () => {
    const { idempotency } = open()
    const effects: string[] = []
    const effect = (name: string, value: unknown) => () => {
      effects.push(name)
      return value
    }
    const handler =
      (error?: Error) =>
      async ({ step, checkpoint }: Running) => {
        await step('charge', effect('charge', 1n)).catch(() => undefined)
        await step('mail', effect('mail', 'sent'))
        if (error) throw error
        return checkpoint
      }
    await expect(idempotency.run(call, handler(new Error('later')))).rejects.toThrow('later')
    expect((await idempotency.run(call, handler())).value).toEqual([
      { name: 'charge', omitted: 'not-serializable' },
      { name: 'mail', value: 'sent' },
    ])
    expect(effects).toEqual(['charge', 'mail'])
  })

  /** A store with room for 500 bytes. */
  function small(codecs: readonly Codec[] = []) {
    const { begin, transition, get, capabilities } = memoryStore()
    const store = { begin, transition, get, capabilities: { ...capabilities, maxValueBytes: 500 } }
    return createIdempotency({ store, namespace: 'n', codecs })
  }

  test('a value that the store has no room for: the steps before it keep theirs', async () => {
    const idempotency = small()
    const effect = vi.fn(() => 'x'.repeat(1000))
    const large = ({ step }: Running) => step('small', () => 'x').then(() => step('large', effect))
    await expect(idempotency.run(call, large)).rejects.toThrow(/500/)
    await expect(idempotency.run(call, large)).rejects.toMatchObject({ reason: 'too-large' })
    expect(effect).toHaveBeenCalledOnce()
    expect((await idempotency.run(call, async ({ checkpoint }) => checkpoint)).value).toEqual([
      { name: 'small', value: 'x' },
      { name: 'large', omitted: 'too-large' },
    ])
  })

  test.each([5, 40])('no room for so much as the names of %i steps: none is repeated', async (count) => {
    const idempotency = small()
    const effect = vi.fn(() => 'x'.repeat(90))
    const handler = async ({ step }: Running) => {
      for (let index = 0; index < count; index++) await step(`step-${index}`, effect).catch(() => undefined)
      throw new Error('again')
    }
    for (const _attempt of [1, 2, 3]) await expect(idempotency.run(call, handler)).rejects.toThrow('again')
    expect(effect.mock.calls.length).toBeLessThanOrEqual(count)
  })

  test.each<[string, () => Uint8Array | Promise<Uint8Array>]>([
    [
      'throws',
      () => {
        throw new Error('no key')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no key'))],
  ])('a codec that %s at the checkpoint: no later attempt repeats it', async (_, encode) => {
    let isBroken = true
    const codec: Codec = { id: 'vault', encode: (bytes) => (isBroken ? encode() : bytes), decode: (bytes) => bytes }
    const idempotency = createIdempotency({ store: memoryStore(), namespace: 'n', codecs: [codec] })
    const charge = vi.fn(() => 'charged')
    await expect(idempotency.run(call, ({ step }) => step('charge', charge))).rejects.toThrow(/cannot be encoded/)
    isBroken = false
    const again = idempotency.run(call, ({ step }) => step('charge', charge))
    await expect(again).rejects.toMatchObject({ code: 'IDEMPOTENCY_NOT_REPLAYABLE', reason: 'not-encodable' })
    expect(charge).toHaveBeenCalledOnce()
  })
})

test('a local step needs a store with transactions', async () => {
  const { idempotency } = open()
  await expect(idempotency.run(call, ({ transaction }) => transaction('a', () => 1))).rejects.toMatchObject({
    option: 'store',
  })
})
