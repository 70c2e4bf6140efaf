import assert from 'node:assert/strict'
import type { ConsumerCheck, TestLetter } from '../check.ts'
import { countsOf } from '../consumer-harness.ts'

const good = { id: 'good', amount: 1 }

/** Names of members of every object, and of headers of ours. */
const headers: Readonly<Record<string, string>> = {
  constructor: 'x',
  toString: 'x',
  ['__proto__']: 'x',
  'retryproof-reason': 'x',
  'retryproof-id': 'of another message',
  'retryproof-round': '9007199254740991',
}

const oddities: readonly [string, () => never][] = [
  ['nothing', () => raise(undefined)],
  ['an object without a prototype', () => raise(Object.create(null))],
  [
    'an error whose message throws',
    () => raise(Object.defineProperty(new Error(), 'message', { get: () => raise(1) })),
  ],
]

function raise(thrown: unknown): never {
  throw thrown
}

/** Messages and callbacks that are odd on purpose. None stops a consumer. */
export const hostileChecks: readonly ConsumerCheck[] = [
  {
    id: 'hostile-headers',
    title: 'headers of any name harm neither a good message nor a dead letter',
    run: async (bench) => {
      await bench.start()
      await bench.queue.publish({ id: 'a', body: JSON.stringify({ id: 'a', amount: 1 }), headers })
      await bench.queue.publish({ body: 'no { JSON', headers })
      await bench.publish(good)
      const [letter] = await bench.letters(1)
      await bench.acknowledged(3)
      assert.deepEqual([letter?.reason, letter?.body], ['unreadable', 'no { JSON'])
      assert.deepEqual(bench.runs.map(({ id }) => id).sort(), ['a', 'good'])
    },
  },
  {
    id: 'numeric-id',
    title: 'an id that is a number is refused, and the dead letter says so',
    run: async (bench) => {
      await bench.start()
      await bench.queue.publish({ body: '{"id":7,"amount":1}' })
      const [letter] = await bench.letters(1)
      assert.equal(letter?.reason, 'invalid')
    },
  },
  {
    id: 'async-parse',
    title: '`parse` may be async: its body is waited for, and its rejection makes a dead letter',
    run: async (bench) => {
      await bench.start({ parse: async (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()) })
      await bench.queue.publish({ body: 'no { JSON' })
      await bench.publish(good)
      const [letter] = await bench.letters(1)
      await bench.acknowledged(2)
      assert.equal(letter?.reason, 'unreadable')
      assert.deepEqual(countsOf(bench.verdicts), { 'dead-letter': 1, handled: 1 })
    },
  },
  ...oddities.map(
    ([name, odd]): ConsumerCheck => ({
      id: `odd-throws-${name.replaceAll(' ', '-')}`,
      title: `callbacks that throw ${name} stop no consumer`,
      run: async (bench) => {
        bench.handle(({ id }) => (id === 'good' ? undefined : odd()))
        await bench.start({
          maxAttempts: 2,
          parse: (bytes: Uint8Array) => (bytes.length < 9 ? odd() : JSON.parse(Buffer.from(bytes).toString())),
          onFailure: odd,
          onVerdict: odd,
          onError: odd,
        })
        await bench.queue.publish({ body: 'unread' })
        await bench.publish({ id: 'fails', amount: 1 }, good)
        const letters = await bench.letters(2)
        assert.deepEqual(letters.map(({ reason }) => reason).sort(), ['max-attempts', 'unreadable'])
        await bench.until('the good one runs', () => bench.runs.some(({ id }) => id === 'good'))
        assert.equal(bench.runs.filter(({ id }) => id === 'fails').length, 2)
      },
    }),
  ),
  {
    id: 'rounds',
    title: 'a dead letter that comes back again and again is slowed down, and counts its rounds',
    run: async (bench) => {
      await bench.start({ redeliveryDelay: { first: 100, max: 1000 } })
      await bench.queue.publish({ body: 'no { JSON' })
      const [first] = await bench.letters(1)
      if (!first) assert.fail('no dead letter')
      assert.equal(first.round, '1')
      const startedAt = performance.now()
      let letter: TestLetter = first
      for (let round = 2; round <= 4; round++) {
        await bench.queue.redrive(letter)
        const next = (await bench.letters(round)).find((each) => each.round === String(round))
        if (!next) assert.fail(`no letter of round ${round}`)
        letter = next
      }
      // jitter halves delays of 100, 200 and 400 ms at most
      assert.ok(performance.now() - startedAt >= 350, 'the rounds were not slowed down')
    },
  },
]
