import assert from 'node:assert/strict'
import type { ConsumerCheck } from '../check.ts'
import { countsOf } from '../consumer-harness.ts'

const good = { id: 'good', amount: 1 }

/** A dead letter that says why, and the messages behind it are handled. */
function isRefused(id: string, title: string, body: string, reason: string): ConsumerCheck {
  return {
    id,
    title,
    run: async (bench) => {
      await bench.start()
      await bench.queue.publish({ body })
      await bench.publish(good)
      const [letter] = await bench.letters(1)
      assert.deepEqual([letter?.reason, letter?.body === body], [reason, true])
      await bench.acknowledged(2)
      assert.deepEqual(
        bench.runs.map(({ id }) => id),
        ['good'],
      )
      assert.deepEqual(countsOf(bench.verdicts), { 'dead-letter': 1, handled: 1 })
    },
  }
}

/** Messages that no handler should see. */
export const badInputChecks: readonly ConsumerCheck[] = [
  isRefused('no-id', 'a message without an id is a dead letter', '{"amount":1}', 'no-id'),
  isRefused('empty-id', 'an id that is empty is none', '{"id":"","amount":1}', 'no-id'),
  isRefused(
    'long-id',
    'a message with an id of 10 kB is a dead letter',
    JSON.stringify({ id: 'x'.repeat(10_000), amount: 1 }),
    'invalid',
  ),
  isRefused('surrogate', 'an id that is no text is refused', '{"id":"\\ud800","amount":1}', 'invalid'),
  isRefused('unreadable', 'a body that does not parse is a dead letter', 'no { JSON', 'unreadable'),
  isRefused('null-body', 'a body without what is read from it is a dead letter', 'null', 'unreadable'),
  {
    id: 'key-reused',
    title: 'another message under an id that was used is a dead letter, and the first one stands',
    run: async (bench) => {
      await bench.start()
      await bench.publish({ id: 'a', amount: 100 })
      await bench.acknowledged(1)
      await bench.publish({ id: 'a', amount: 999 }, { id: 'a', amount: 100 })
      const [letter] = await bench.letters(1)
      assert.deepEqual([letter?.reason, letter?.body], ['key-reused', '{"id":"a","amount":999}'])
      await bench.acknowledged(3)
      assert.deepEqual(
        bench.runs.map(({ amount }) => amount),
        [100],
      )
      assert.deepEqual(countsOf(bench.verdicts), { handled: 1, 'dead-letter': 1, duplicate: 1 })
    },
  },
  {
    id: 'mismatches',
    title: 'two other messages under one id are two dead letters',
    run: async (bench) => {
      await bench.start()
      await bench.publish({ id: 'a', amount: 1 })
      await bench.acknowledged(1)
      await bench.publish({ id: 'a', amount: 2 }, { id: 'a', amount: 3 })
      const letters = await bench.letters(2)
      assert.deepEqual(letters.map(({ body }) => JSON.parse(body).amount).sort(), [2, 3])
    },
  },
]
