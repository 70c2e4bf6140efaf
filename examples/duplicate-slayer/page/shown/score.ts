/** Charges against intents, in large type. */
import type { Score } from '../../src/board/live.ts'
import { announce, element } from '../dom.ts'

/** Screen readers are told once things have settled, not for each payment. */
const SETTLED_MS = 1200
let settling: ReturnType<typeof setTimeout> | undefined

export function showScore(score: Score): void {
  const { intents, charges, answered } = score
  const text = verdict(score)
  element('intents').textContent = String(intents)
  element('charges').textContent = String(charges)
  element('verdict').textContent = text
  element('verdict').dataset.verdict = moodOf(score)
  clearTimeout(settling)
  if (answered < intents || intents === 0) return
  settling = setTimeout(() => {
    announce(`Payments wanted: ${intents}. Charges made: ${charges}. ${text}.`)
  }, SETTLED_MS)
}

function verdict({ intents, charges, doubled, answered }: Score): string {
  if (intents === 0) return 'Nothing paid yet'
  const underWay = intents - answered
  const waiting = underWay > 0 ? `, ${underWay} under way` : ''
  if (doubled > 0) return `${doubled} of ${intents} charged more than once${waiting}`
  if (underWay > 0) return `${underWay} under way, none charged twice so far`
  return charges < intents ? `${intents - charges} still to be charged` : 'Each charged exactly once'
}

function moodOf({ intents, doubled, answered }: Score): 'none' | 'wrong' | 'right' | 'waiting' {
  if (intents === 0) return 'none'
  if (doubled > 0) return 'wrong'
  return answered < intents ? 'waiting' : 'right'
}
