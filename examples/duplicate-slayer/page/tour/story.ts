/** One payment whose answer is lost, told twice at the same time: without Retryproof, and with it. Both lanes really run, in the page. */
import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { element, make } from '../dom.ts'

const STEP_MS = 1400
const PRICE = 42

type Mood = 'plain' | 'bad' | 'good'

/** A lane: its timeline, and the charges that its server made. */
interface Lane {
  readonly list: HTMLElement
  readonly total: HTMLElement
  charges: number
}

/** Stops the telling that runs, when another begins. */
let telling = 0

/** Tells the story once, and again whenever the reader asks. */
export function tellStory(): void {
  element('story-again').addEventListener('click', () => void tell())
  void tell()
}

async function tell(): Promise<void> {
  const mine = ++telling
  const [without, withIt] = [openLane('without'), openLane('with')]
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'story', purge: false })
  const call = { operation: 'pay', scope: 'you', key: crypto.randomUUID(), payload: { price: PRICE } }
  const pay = () => idempotency.run(call, () => charge(withIt))

  const steps: readonly (() => void | Promise<void>)[] = [
    () => both('A customer presses Pay.'),
    async () => {
      charge(without)
      await pay()
      note(without, 'The server charges the card: €42.')
      note(withIt, 'The server charges the card, €42, and records the answer.')
    },
    () => both('The answer gets lost on its way back.', 'bad'),
    () => {
      note(without, 'The page hears nothing, and sends the payment again.')
      note(withIt, 'The page hears nothing, and sends it again with the same key.')
    },
    async () => {
      charge(without)
      note(without, 'The server charges the card again.', 'bad')
      const { replayed } = await pay()
      note(
        withIt,
        replayed ? 'The server knows the key, and answers from its record.' : 'The server charges again.',
        'good',
      )
    },
    () => {
      for (const lane of [without, withIt])
        note(
          lane,
          lane.charges === 1 ? 'Paid once.' : `Paid ${lane.charges} times.`,
          lane.charges === 1 ? 'good' : 'bad',
        )
    },
  ]

  for (const step of steps) {
    if (mine !== telling) return
    await step()
    await pause()
  }

  function both(text: string, mood?: Mood): void {
    note(without, text, mood)
    note(withIt, text, mood)
  }
}

function openLane(name: 'without' | 'with'): Lane {
  const list = element(`story-${name}`)
  list.replaceChildren()
  const lane = { list, total: element(`story-${name}-total`), charges: 0 }
  showTotal(lane)
  return lane
}

function charge(lane: Lane): { charge: number } {
  lane.charges += 1
  showTotal(lane)
  return { charge: lane.charges }
}

function showTotal({ total, charges }: Lane): void {
  total.textContent = `€${charges * PRICE}`
  total.dataset.mood = charges > 1 ? 'bad' : 'plain'
}

function note({ list }: Lane, text: string, mood: Mood = 'plain'): void {
  list.append(make('li', mood, text))
}

/** Waits between two steps; not where less motion is wanted. */
function pause(): Promise<void> {
  const ms = matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : STEP_MS
  return new Promise((resolve) => setTimeout(resolve, ms))
}
