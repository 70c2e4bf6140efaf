import assert from 'node:assert/strict'
import { release, terminal, unreplayable } from '@retryproof/core'
import { writesOf } from '../../http/app/business-writes.ts'
import type { ConsumerCheck } from '../check.ts'
import { countsOf } from '../consumer-harness.ts'

const order = { id: 'a', amount: 100 }

/** Handlers that fail, until they succeed or the message is given up. */
export const failureChecks: readonly ConsumerCheck[] = [
  {
    id: 'fails-then-succeeds',
    title: 'a message whose handler fails comes back until it is handled',
    run: async (bench) => {
      bench.handle((_, { attempt }) => {
        if (attempt.number < 3) throw new Error('not yet')
      })
      await bench.start()
      await bench.publish(order)
      await bench.acknowledged(1)
      assert.deepEqual(
        bench.runs.map(({ attempt }) => attempt),
        [1, 2, 3],
      )
      assert.deepEqual(countsOf(bench.verdicts), { failed: 2, handled: 1 })
      assert.equal((await bench.queue.deadLetters()).length, 0)
    },
  },
  {
    id: 'poison',
    title: 'after `maxAttempts` a message is a dead letter, once, and its duplicates are acknowledged',
    run: async (bench) => {
      bench.handle(() => {
        throw new Error('poison')
      })
      await bench.start({ maxAttempts: 3 })
      await bench.publish(order)
      const [letter] = await bench.letters(1)
      assert.deepEqual([letter?.reason, letter?.body], ['max-attempts', JSON.stringify(order)])
      await bench.acknowledged(1)
      assert.deepEqual(
        bench.runs.map(({ attempt }) => attempt),
        [1, 2, 3],
      )
      const record = await bench.idempotency.inspect({ operation: 'orders', scope: 'suite', key: 'a' })
      assert.equal(record?.state, 'failed')
      await bench.publish(order)
      await bench.acknowledged(2)
      assert.equal(countsOf(bench.verdicts).duplicate, 1)
      assert.equal((await bench.queue.deadLetters()).length, 1)
    },
  },
  {
    id: 'final-failure',
    title: 'what fails for good is a dead letter at once',
    run: async (bench) => {
      bench.handle(() => {
        throw new TypeError('never')
      })
      await bench.start({ onFailure: (error) => (error instanceof TypeError ? 'store' : 'retry') })
      await bench.publish(order)
      const [letter] = await bench.letters(1)
      await bench.acknowledged(1)
      assert.deepEqual([letter?.reason, bench.runs.length], ['failed', 1])
    },
  },
  {
    id: 'terminal',
    title: 'an error that the handler calls terminal makes a dead letter at once',
    run: async (bench) => {
      bench.handle(() => {
        throw terminal(new Error('never'))
      })
      await bench.start()
      await bench.publish(order)
      const [letter] = await bench.letters(1)
      await bench.acknowledged(1)
      assert.deepEqual([letter?.reason, bench.runs.length], ['failed', 1])
    },
  },
  {
    id: 'nested-error',
    title: 'an error of another operation that a handler passes on is a failure of the handler',
    run: async (bench) => {
      const nested = { operation: 'charges', scope: 'suite', key: 'k' }
      const charge = () => bench.idempotency.run(nested, () => unreplayable('a secret'))
      await charge()
      bench.handle(async (_, { attempt }) => {
        // throws IdempotencyNotReplayableError, which would say of this message that it was handled
        if (attempt.number === 1) await charge()
      })
      await bench.start()
      await bench.publish(order)
      await bench.acknowledged(1)
      assert.deepEqual(countsOf(bench.verdicts), { failed: 1, handled: 1 })
    },
  },
  {
    id: 'released',
    title: 'a message that its handler releases comes back after the delay of the release',
    run: async (bench) => {
      bench.handle((_, { attempt }) => (attempt.number === 1 ? release('not now', { delay: 400 }) : undefined))
      await bench.start()
      await bench.publish(order)
      await bench.until('it was released', () => countsOf(bench.verdicts).released === 1)
      const releasedAt = performance.now()
      await bench.acknowledged(1)
      assert.ok(performance.now() - releasedAt >= 350, 'the delay was not kept')
      assert.equal(bench.runs.length, 2)
    },
  },
  {
    id: 'redriven',
    title: 'a dead letter that is moved back is not lost: it goes back, and is handled once its id is forgotten',
    run: async (bench) => {
      let isBroken = true
      bench.handle(() => {
        if (isBroken) throw new Error('broken')
      })
      await bench.start({ maxAttempts: 1 })
      await bench.publish(order)
      const [first] = await bench.letters(1)
      if (!first) assert.fail('no dead letter')
      await bench.acknowledged(1)
      isBroken = false
      await bench.queue.redrive(first)
      const letters = await bench.letters(2)
      assert.ok(letters.some(({ reason }) => reason === 'failed-before'))
      await bench.acknowledged(2)
      await bench.idempotency.forget({ operation: 'orders', scope: 'suite', key: 'a' })
      await bench.queue.redrive(first)
      await bench.acknowledged(3)
      assert.deepEqual([countsOf(bench.verdicts).handled, bench.runs.length], [1, 2])
    },
  },
  {
    id: 'transaction',
    title: 'what a handler writes and that its message was handled commit together, or neither does',
    needs: ['transactions'],
    run: async (bench) => {
      const writes = writesOf(bench.harness.store)
      const id = (attempt: number) => `${bench.idempotency.namespace} ${attempt}`
      bench.handle(async (_, { attempt, tx }) => {
        await writes(tx).write(id(attempt.number))
        if (attempt.number === 1) throw new Error('after the write')
      })
      await bench.start({ transaction: true })
      await bench.publish(order, order)
      await bench.acknowledged(2)
      assert.equal(countsOf(bench.verdicts).handled, 1)
      const { isWritten } = writes(undefined)
      assert.deepEqual([await isWritten(id(1)), await isWritten(id(2))], [false, true])
    },
  },
]
