/** The five clicks of the tour. The lane with Retryproof reports calls that really run, in the page. */
import { type Attempt, createIdempotency, isIdempotencyError } from '@retryproof/core'
import { wrapStore } from '@retryproof/core/store'
import { memoryStore } from '@retryproof/memory'
import { randomFrom } from '../../src/network/random.ts'
import type { Lane } from './lanes.ts'

export interface Chapter {
  readonly title: string
  /** The sum that the customers owe, in euros. */
  readonly owed: number
  /** Each step adds to both lanes, and is followed by a pause. */
  readonly steps: (without: Lane, withIt: Lane) => readonly (() => void | Promise<void>)[]
}

const PRICE = 42
const HUNDRED = 100
const LOST = 0.4
const LEASE_MS = 30_000

export const chapters: readonly Chapter[] = [
  { title: 'An answer gets lost', owed: PRICE, steps: loseAnswer },
  { title: 'A double click', owed: PRICE, steps: clickTwice },
  { title: 'The server dies', owed: PRICE, steps: killServer },
  { title: 'The amount changes', owed: PRICE, steps: changeAmount },
  { title: 'A hundred payments', owed: HUNDRED * PRICE, steps: payHundred },
]

function loseAnswer(without: Lane, withIt: Lane) {
  const pay = payerOf(withIt)
  return [
    () => both(without, withIt, 'A customer presses Pay.'),
    async () => {
      without.charge(PRICE)
      await pay()
      without.note('The server charges the card: €42.')
      withIt.note('The server charges the card, €42, and records the answer.')
    },
    () => both(without, withIt, 'The answer gets lost on its way back.', 'bad'),
    () => {
      without.note('The page hears nothing, and sends the payment again.')
      withIt.note('The page hears nothing, and sends it again with the same key.')
    },
    async () => {
      without.charge(PRICE)
      without.note('The server charges the card again.', 'bad')
      const { replayed } = await pay()
      if (replayed) withIt.note('The server knows the key, and answers from its record.', 'good')
    },
    () => conclude(without, withIt),
  ]
}

function clickTwice(without: Lane, withIt: Lane) {
  const pay = payerOf(withIt)
  return [
    () => both(without, withIt, 'A customer presses Pay twice. Both requests arrive at the same time.'),
    async () => {
      without.charge(PRICE)
      without.charge(PRICE)
      without.note('The server charges the card for each of them.', 'bad')
      const answers = await Promise.all([pay(), pay()])
      const replays = answers.filter(({ replayed }) => replayed).length
      withIt.note('Both have the same key. One of them runs, the other one waits for its answer.')
      if (replays === 1) withIt.note('The second request gets the answer of the first.', 'good')
    },
    () => conclude(without, withIt),
  ]
}

function killServer(without: Lane, withIt: Lane) {
  let now = 0
  let isKilled = false
  const store = memoryStore({ now: () => now })
  const silence = new Promise<never>(() => {})
  const dying = wrapStore(store, {
    transition: (...call) => (isKilled ? silence : store.transition(...call)),
  })
  const first = createIdempotency({ store: dying, namespace: 'tour', lease: LEASE_MS, purge: false })
  const second = createIdempotency({ store, namespace: 'tour', lease: LEASE_MS, purge: false })
  const call = newCall()
  // as real providers do, this one charges once for each key
  const providerKeys = new Set<string>()
  const charge = (attempt: Attempt) => {
    const key = attempt.keyFor('charge')
    if (!providerKeys.has(key)) withIt.charge(PRICE)
    providerKeys.add(key)
  }
  return [
    () => both(without, withIt, 'A customer presses Pay.'),
    async () => {
      without.charge(PRICE)
      without.note('The provider charges the card: €42.')
      await new Promise<void>((charged) => {
        const run = first.run(call, (attempt) => {
          charge(attempt)
          isKilled = true
          charged()
          return silence
        })
        // nobody hears what becomes of it
        run.catch(() => {})
      })
      withIt.note('The provider charges the card, €42, and keeps the key.')
    },
    () => both(without, withIt, 'The server is killed before it can answer.', 'bad'),
    () => both(without, withIt, 'Another server starts. The page sends the payment again.'),
    async () => {
      without.charge(PRICE)
      without.note('It knows of nothing, and charges the card again.', 'bad')
      now += LEASE_MS
      const { value: attempt } = await second.run(call, (attempt) => {
        charge(attempt)
        return attempt.number
      })
      withIt.note(`It sees that attempt ${attempt - 1} was interrupted, and begins attempt ${attempt}.`)
      withIt.note('The provider knows the key, and charges nothing.', 'good')
    },
    () => conclude(without, withIt),
  ]
}

function changeAmount(without: Lane, withIt: Lane) {
  const pay = payerOf(withIt)
  return [
    async () => {
      without.charge(PRICE)
      await pay()
      both(without, withIt, 'A customer pays €42.')
    },
    () => both(without, withIt, 'A faulty page sends the same payment again, for €1.', 'bad'),
    async () => {
      without.charge(1)
      without.note('The server charges another €1.', 'bad')
      const refused = await pay(1).then(
        () => false,
        (error) => isIdempotencyError(error, 'IDEMPOTENCY_KEY_REUSED'),
      )
      if (refused) withIt.note('The server knows the key with another amount, and refuses (422).', 'good')
    },
    () => conclude(without, withIt),
  ]
}

function payHundred(without: Lane, withIt: Lane) {
  const random = randomFrom(7)
  const tries = Array.from({ length: HUNDRED }, () => {
    let count = 1
    while (random() < LOST) count++
    return count
  })
  const sent = tries.reduce((sum, count) => sum + count, 0)
  return [
    () => both(without, withIt, 'A hundred customers pay €42 each. Four answers of ten get lost.'),
    () => both(without, withIt, `Each page sends again until it hears something: ${sent} requests.`),
    async () => {
      for (const count of tries) {
        const pay = payerOf(withIt)
        for (let sending = 0; sending < count; sending++) {
          without.charge(PRICE)
          await pay()
        }
      }
      without.note(`${sent} charges for 100 payments.`, 'bad')
      withIt.note(`${withIt.charged() / PRICE} charges for 100 payments.`, 'good')
    },
  ]
}

/** Pays one order through the core, as often as it is called: under one key. */
function payerOf(lane: Lane) {
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'tour', purge: false })
  const call = newCall()
  return (price = PRICE) =>
    idempotency.run(
      { ...call, payload: { price } },
      () => {
        lane.charge(price)
        return { charged: price }
      },
      { onInProgress: { wait: '5s' } },
    )
}

function newCall() {
  return { operation: 'pay', scope: 'you', key: crypto.randomUUID(), payload: { price: PRICE } }
}

function both(without: Lane, withIt: Lane, text: string, mood?: 'bad'): void {
  for (const lane of [without, withIt]) lane.note(text, mood)
}

function conclude(without: Lane, withIt: Lane): void {
  for (const lane of [without, withIt]) {
    const sum = lane.charged()
    const isRight = sum === PRICE
    lane.note(isRight ? 'Charged once.' : `Charged €${sum} for a payment of €${PRICE}.`, isRight ? 'good' : 'bad')
  }
}
