import { createIdempotency, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { expect, test, vi } from 'vitest'
import { type ConsumerOptions, createConsumer, type Delivery, REASON_HEADER, type Verdict } from '../src/index.ts'

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
