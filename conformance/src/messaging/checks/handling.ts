import assert from 'node:assert/strict'
import { isIdempotencyError } from '@retryproof/core'
import type { ConsumerCheck } from '../check.ts'
import { countsOf, gate } from '../consumer-harness.ts'

const order = (id: string, amount = 100) => ({ id, amount })

/** Each message, and its duplicates. */
export const handlingChecks: readonly ConsumerCheck[] = [
  {
    id: 'handles-each',
    title: 'each message is handled once, and its duplicates are acknowledged',
    run: async (bench) => {
      await bench.start()
      await bench.publish(order('a'), order('b'), order('a'), order('c'), order('b'))
      await bench.acknowledged(5)
      assert.deepEqual(bench.runs.map(({ id }) => id).sort(), ['a', 'b', 'c'])
      const { handled, duplicate } = countsOf(bench.verdicts)
      assert.deepEqual({ handled, duplicate }, { handled: 3, duplicate: 2 })
    },
  },
  {
    id: 'acknowledges',
    title: 'what was acknowledged is not delivered to the next consumer',
    run: async (bench) => {
      const first = await bench.start()
      await bench.publish(order('a'), order('b'))
      await bench.acknowledged(2)
      await first.drain()
      // some brokers take back what is not acknowledged only when the connection ends
      await bench.queue.cut?.()
      await bench.start()
      await bench.publish(order('c'))
      await bench.acknowledged(3)
      assert.deepEqual(countsOf(bench.verdicts), { handled: 3 })
    },
  },
  {
    id: 'groups',
    title: 'two consumer groups do not suppress each other',
    run: async (bench) => {
      const first = await bench.start({ operation: 'invoices' })
      await bench.publish(order('a'))
      await bench.acknowledged(1)
      await first.drain()
      await bench.start({ operation: 'shipping' })
      await bench.publish(order('a'))
      await bench.acknowledged(2)
      assert.deepEqual(countsOf(bench.verdicts), { handled: 2 })
    },
  },
  {
    id: 'scopes',
    title: 'the same id in two scopes is two messages',
    run: async (bench) => {
      await bench.start({ scope: (body) => String((body as { amount: number }).amount) })
      await bench.publish(order('a', 1), order('a', 2))
      await bench.acknowledged(2)
      assert.deepEqual(countsOf(bench.verdicts), { handled: 2 })
    },
  },
  {
    id: 'in-progress',
    title: 'a duplicate of a message that is being handled comes back later, and is acknowledged then',
    run: async (bench) => {
      const { passed, open } = gate()
      bench.handle(() => passed)
      await bench.start()
      await bench.publish(order('a'))
      await bench.until('the first runs', () => bench.runs.length === 1)
      // another consumer: some brokers give one consumer one message after the other
      if (!bench.harness.isOrdered) await bench.start()
      await bench.publish(order('a'))
      // in a partition that keeps its order, the duplicate waits behind the first
      if (!bench.harness.isOrdered) {
        await bench.until('the duplicate was refused', () => 'in-progress' in countsOf(bench.verdicts))
      }
      assert.equal(bench.verdicts.filter(({ action }) => action === 'ack').length, 0)
      open()
      await bench.acknowledged(2)
      assert.equal(bench.runs.length, 1)
      const { handled, duplicate } = countsOf(bench.verdicts)
      assert.deepEqual({ handled, duplicate }, { handled: 1, duplicate: 1 })
    },
  },
  {
    id: 'batch',
    title: 'of many messages each is settled by itself, also where some fail',
    run: async (bench) => {
      bench.handle(({ amount }, { attempt }) => {
        if (amount % 3 === 0 && attempt.number === 1) throw new Error('not yet')
      })
      await bench.start()
      const ids = Array.from({ length: 30 }, (_, i) => i)
      await bench.publish(...ids.map((i) => order(`order ${i}`, i)))
      await bench.acknowledged(30)
      const { handled, failed } = countsOf(bench.verdicts)
      assert.deepEqual({ handled, failed }, { handled: 30, failed: 10 })
      assert.equal(bench.runs.length, 40)
    },
  },
  {
    id: 'retention',
    title: 'a retention that is shorter than the redelivery window is refused',
    run: async (bench) => {
      await assert.rejects(
        bench.start({ retention: '1h', redeliveryWindow: '2h' }),
        (error) => isIdempotencyError(error, 'IDEMPOTENCY_INVALID_OPTION') && error.option === 'retention',
      )
    },
  },
]
