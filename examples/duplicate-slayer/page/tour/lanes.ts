/** Two lanes beside each other: the same clicks without idempotency, and with it. */
import { element, make } from '../dom.ts'

export type Mood = 'plain' | 'bad' | 'good'

/** A lane: its timeline, and the sum that its provider has charged, in euros. */
export interface Lane {
  note(text: string, mood?: Mood): void
  charge(euros: number): void
  charged(): number
}

/** The lane of each name that was opened last: an earlier one shows nothing any more. */
const open = new Map<string, Lane>()

/** Opens an empty lane. Its sum turns red above what the customers owe. */
export function openLane(name: 'without' | 'with', owed: number): Lane {
  const list = element(`tour-${name}`)
  const total = element(`tour-${name}-total`)
  let sum = 0
  function showTotal(): void {
    if (open.get(name) !== lane) return
    total.textContent = `€${sum.toLocaleString('en')}`
    total.dataset.mood = sum > owed ? 'bad' : sum === owed ? 'good' : 'plain'
  }

  const lane: Lane = {
    note(text, mood = 'plain') {
      if (open.get(name) === lane) list.append(make('li', mood, text))
    },
    charge(euros) {
      sum += euros
      showTotal()
    },
    charged: () => sum,
  }
  open.set(name, lane)
  list.replaceChildren()
  showTotal()
  return lane
}
