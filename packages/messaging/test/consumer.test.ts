import { createIdempotency, notStarted, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import {
  type ConsumerOptions,
  createConsumer,
  type Delivery,
  type LetterParts,
  REASON_HEADER,
  ROUND_HEADER,
  type Verdict,
} from '../src/index.ts'

/** A delivery of a broker that takes everything, and what it was told. */
function deliveryOf(id: string, changes: Partial<Delivery<string>> = {}) {
  const told: string[] = []
  const delivery: Delivery<string> = {
    message: id,
    body: () => new TextEncoder().encode('{}'),
    messageId: id,
    deliveries: 1,
    header: () => undefined,
    origin: {},
    isRefusal: () => false,
    ack: async () => told.push('ack'),
    redeliver: async (ms) => told.push(`redeliver ${ms}`),
    publish: async ({ headers }) => told.push(String(headers[REASON_HEADER])),
    ...changes,
  }
  return { delivery, told }
}

function consumerOf(handler: () => unknown, options: Partial<ConsumerOptions<string, unknown, false>> = {}) {
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
  return createConsumer(idempotency, 'orders', { scope: unscoped, ...options }, handler)
}

const throws = () => {
  throw new Error('listener')
}

test('listeners that throw harm no message', async () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const { consume } = consumerOf(() => {}, { onVerdict: throws, onError: throws })
  const { delivery, told } = deliveryOf('a')
  await consume(delivery)
  expect(told).toEqual(['ack'])
  const lost = deliveryOf('b', { ack: throws })
  await consume(lost.delivery)
  expect(warned.mock.calls.map(([message]) => message)).toEqual([
    '`onVerdict` threw',
    '`onVerdict` threw',
    '`onError` threw',
  ])
  warned.mockRestore()
})

test('a message whose acknowledgement is lost is a duplicate when it comes back', async () => {
  const errors: unknown[] = []
  const verdicts: Verdict[] = []
  let runs = 0
  const { consume } = consumerOf(() => ++runs, {
    onError: (error) => errors.push(error),
    onVerdict: (verdict) => verdicts.push(verdict),
  })
  await consume(deliveryOf('a', { ack: throws }).delivery)
  expect(errors).toMatchObject([{ message: 'listener' }])
  const again = deliveryOf('a')
  await consume(again.delivery)
  expect(again.told).toEqual(['ack'])
  expect(verdicts.map(({ because }) => because)).toEqual(['handled', 'duplicate'])
  expect(runs).toBe(1)
})

test.each(['parse', 'id', 'scope', 'payload'])(
  'a %s that throws notStarted() has its message come again',
  async (name) => {
    const errors: unknown[] = []
    let isAway = true
    const reader = () => {
      if (isAway) throw notStarted(new Error('the registry is away'))
      return 'read'
    }
    let runs = 0
    const { consume } = consumerOf(() => ++runs, { [name]: reader, onError: (error) => errors.push(error) })
    const { delivery, told } = deliveryOf('a', { deliveries: 100 })
    expect(await consume(delivery)).toBeGreaterThan(0)
    expect(told).toMatchObject([expect.stringMatching(/^redeliver /)])
    expect(errors).toMatchObject([{ message: 'the registry is away' }])
    isAway = false
    expect(await consume(delivery)).toBeUndefined()
    expect([told.at(-1), runs]).toEqual(['ack', 1])
  },
)

test('a payload that throws when it is read makes a dead letter, and holds nothing up', async () => {
  const { consume } = consumerOf(() => {}, { payload: () => ({ toJSON: throws }) })
  const { delivery, told } = deliveryOf('a')
  expect(await consume(delivery)).toBeUndefined()
  expect(told).toEqual(['invalid', 'ack'])
})

test('while it is drained, a consumer gives back what comes, but not what would not come again', async () => {
  let runs = 0
  const { consume, drain } = consumerOf(() => ++runs)
  expect(await drain({ timeout: 10 }, Promise.resolve())).toEqual({ unfinished: 0 })
  const back = deliveryOf('a')
  await consume(back.delivery)
  expect(back.told).toEqual(['redeliver 0'])
  const last = deliveryOf('b', { isLastDelivery: true })
  await consume(last.delivery)
  expect(last.told).toEqual(['ack'])
  expect(runs).toBe(1)
})

test('listeners that reject harm no message, and end no process', async () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const rejects = async () => {
    throw Object.create(null)
  }
  const { consume } = consumerOf(() => {}, { onVerdict: rejects, onError: rejects })
  const { delivery, told } = deliveryOf('a', { ack: throws })
  await consume(delivery)
  expect(told).toEqual([])
  await new Promise(setImmediate)
  expect(warned.mock.calls.map(([message]) => message)).toEqual(['`onVerdict` threw', '`onError` threw'])
  warned.mockRestore()
})

test('what a client hands over may throw wherever it is read', async () => {
  const { consume } = consumerOf(() => {})
  const { delivery, told } = deliveryOf('a', { body: throws })
  expect(await consume(delivery)).toBeUndefined()
  expect(told).toEqual(['unreadable', 'ack'])
})

test('a message that cannot be told the broker comes back after a delay that grows', async () => {
  const { consume } = consumerOf(() => {}, { onError: () => {}, redeliveryDelay: { first: 1000 } })
  const delayOf = (deliveries: number) => consume(deliveryOf(`${deliveries}`, { ack: throws, deliveries }).delivery)
  expect(await delayOf(1)).toBeLessThanOrEqual(1000)
  expect(await delayOf(4)).toBeGreaterThanOrEqual(4000)
})

test('an id in forged headers is not believed; one of a record is', async () => {
  const ids: unknown[] = []
  const at = consumerOf(() => {}, { onVerdict: ({ because }, message) => ids.push([message, because]) })
  const claims = (id: string) => (name: string) => ({ 'retryproof-reason': 'x', 'retryproof-id': id })[name]
  await at.consume(deliveryOf('mallory', { header: claims('alice') }).delivery)
  await at.consume(deliveryOf('alice').delivery)
  await at.consume(deliveryOf('moved back', { header: claims('alice') }).delivery)
  expect(ids).toEqual([
    ['mallory', 'handled'],
    ['alice', 'handled'],
    ['moved back', 'duplicate'],
  ])
})

describe('reading', () => {
  const never = () => new Promise<never>(() => {})

  test.each(['parse', 'id', 'scope', 'payload'])(
    'that hangs in `%s` comes back, and is unreadable at last',
    async (name) => {
      const errors: unknown[] = []
      const { consume } = consumerOf(() => {}, { [name]: never, maxRun: 20, onError: (error) => errors.push(error) })
      const first = deliveryOf('a')
      expect(await consume(first.delivery)).toBeGreaterThan(0)
      expect(errors).toMatchObject([{ name: 'TimeoutError' }])
      const last = deliveryOf('a', { deliveries: 5 })
      expect(await consume(last.delivery)).toBeUndefined()
      expect(last.told).toEqual(['unreadable', 'ack'])
    },
  )

  test('an id whose bytes were no text is refused: other bytes would make the same id', async () => {
    const { consume } = consumerOf(() => {})
    const { delivery, told } = deliveryOf('order \ufffd')
    await consume(delivery)
    expect(told).toEqual(['invalid', 'ack'])
  })
})

describe('dead letters', () => {
  const unreadable = { body: throws }

  /** A broker that refuses the parts it is told to. */
  function refusing(refuses: (letter: LetterParts) => unknown, changes: Partial<Delivery<string>> = {}) {
    const letters: LetterParts[] = []
    const errors: string[] = []
    const { consume } = consumerOf(() => {}, { onError: (error) => errors.push(String(error)) })
    const publish = async (letter: LetterParts) => {
      const error = refuses(letter)
      if (error) throw error
      letters.push(letter)
    }
    const isRefusal = (error: unknown) => error instanceof RangeError
    const { delivery } = deliveryOf('a', { ...unreadable, publish, isRefusal, origin: { way: 'back' }, ...changes })
    return { letters, errors, consumed: () => consume(delivery) }
  }
  const large = new RangeError('too large')

  test('that are too large lose their headers first, and then their body, but not the way to the original', async () => {
    const headers = refusing(({ withHeaders }) => withHeaders && large)
    expect(await headers.consumed()).toBeUndefined()
    expect(headers.letters).toMatchObject([
      { withBody: true, headers: { 'retryproof-left-out': 'headers', way: 'back' } },
    ])
    const body = refusing(({ withBody }) => withBody && large)
    expect(await body.consumed()).toBeUndefined()
    expect(body.letters).toMatchObject([{ headers: { 'retryproof-left-out': 'headers and body', way: 'back' } }])
    expect(body.errors.join()).toMatch(/'orders' was written without its headers and body/)
  })

  test('whose broker is away lose nothing, and come back', async () => {
    const away = refusing(() => new Error('away'))
    expect(await away.consumed()).toBeGreaterThan(0)
    expect(away.errors).toEqual(['Error: away'])
  })

  test('that are refused again and again for a reason that nobody knows lose what is refused', async () => {
    const odd = refusing(({ withHeaders }) => withHeaders && new Error('odd'), { deliveries: 6 })
    expect(await odd.consumed()).toBeUndefined()
    expect(odd.letters).toMatchObject([{ withHeaders: false, withBody: true }])
  })

  test('that come round wait, no longer than a handler may fail, whatever the counter says', () =>
    fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.double().map(String), fc.bigInt().map(String)), async (round) => {
        const header = (name: string) => ({ [REASON_HEADER]: 'x', [ROUND_HEADER]: round })[name]
        const { consume } = consumerOf(() => {}, { redeliveryDelay: { first: 1, max: '100d' } })
        const letters: LetterParts[] = []
        const publish = async (letter: LetterParts) => letters.push(letter)
        expect(await consume(deliveryOf('a', { ...unreadable, header, publish }).delivery)).toBeUndefined()
        expect(Number(letters[0]?.headers[ROUND_HEADER])).toBeGreaterThanOrEqual(2)
      }),
      { numRuns: 100 },
    ))
})

test('an id that is no text is no id', async () => {
  const { consume } = consumerOf(() => {}, { id: () => 7 as never })
  const { delivery, told } = deliveryOf('a')
  await consume(delivery)
  expect(told).toEqual(['invalid', 'ack'])
})

test.each([
  ['concurrency', { concurrency: 0 }],
  ['scope', { scope: undefined as never }],
  ['attempts', { attempts: 3 } as never],
])('%s is looked at before anything is consumed', (option, options) => {
  expect(() => consumerOf(() => {}, options)).toThrow(expect.objectContaining({ option }))
})
