/** A queue, an instance and a consumer for one check, and what came of the messages. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createIdempotency, type IdempotencyStore } from '@retryproof/core'
import type { ConsumerHandle, Verdict } from '@retryproof/messaging'
import type { ConsumerBench, ConsumerHarness, Order, OrderContext } from './check.ts'

/** Ample for brokers that count their delays in seconds, on any machine. */
const PATIENCE_MS = 30_000
const LOOK_AGAIN_MS = 20

export async function openBench(harness: ConsumerHarness): Promise<ConsumerBench> {
  const { patienceMs = PATIENCE_MS } = harness
  const queue = await harness.open()
  const namespace = `suite ${randomBytes(6).toString('hex')}`
  const instance = (store: IdempotencyStore<unknown>) =>
    createIdempotency({ store, namespace, storeTimeout: 1000, settleTimeout: 1000 })
  const idempotency = instance(harness.store)
  const runs: (Order & { attempt: number })[] = []
  const verdicts: Verdict[] = []
  const consumers: ConsumerHandle[] = []
  let act: (order: Order, context: OrderContext) => unknown = () => undefined

  async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const latest = performance.now() + patienceMs
    while (!(await holds())) {
      if (performance.now() > latest)
        assert.fail(`${what}: not in ${patienceMs} ms. ${JSON.stringify({ runs, verdicts })}`)
      await sleep(LOOK_AGAIN_MS)
    }
  }

  return {
    queue,
    harness,
    idempotency,
    runs,
    verdicts,
    until,
    async publish(...orders) {
      for (const order of orders) await queue.publish({ id: order.id, body: JSON.stringify(order) })
    },
    async start({ on = idempotency, ...options } = {}) {
      const consuming = await queue.consume(
        on,
        {
          operation: 'orders',
          scope: 'suite',
          id: (body) => (body as Partial<Order>).id,
          redeliveryDelay: { first: 20, max: 500 },
          lease: '2s',
          onVerdict: (verdict) => verdicts.push(verdict),
          onError: () => {},
          ...options,
        },
        (body, context) => {
          const order = body as Order
          runs.push({ ...order, attempt: context.attempt.number })
          return act(order, context)
        },
      )
      // one that is cut rejects; the checks look at what becomes of its messages
      consuming.closed.catch(() => {})
      consumers.push(consuming)
      return consuming
    },
    handle(next) {
      act = next
    },
    instanceOn: (change) => instance(change(harness.store)),
    acknowledged: (count) =>
      until(`${count} messages acknowledged`, () => verdicts.filter(({ action }) => action === 'ack').length >= count),
    async letters(count) {
      await until(`${count} dead letters`, async () => (await queue.deadLetters()).length >= count)
      return queue.deadLetters()
    },
    async close() {
      await Promise.all(consumers.map((consuming) => consuming.drain({ timeout: 5000 })))
      await queue.close()
    },
  }
}

/** A gate: those who pass wait until it is opened. */
export function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = () => {}
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { passed, open }
}

/** The number of times that each verdict was given. */
export function countsOf(verdicts: readonly Verdict[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { because } of verdicts) counts[because] = (counts[because] ?? 0) + 1
  return counts
}
