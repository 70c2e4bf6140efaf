/** Charges against intents, in large type. */
import type { Score } from '../../src/live.ts'
import { element } from '../dom.ts'

/** Screen readers are told once things have settled, not for each payment. */
const SETTLED_MS = 1200
let settling: ReturnType<typeof setTimeout> | undefined

export function showScore(score: Score): void {
  const { intents, charges } = score
  const text = verdict(score)
  element('intents').textContent = String(intents)
  element('charges').textContent = String(charges)
  element('verdict').textContent = text
  element('verdict').dataset.verdict = intents === 0 ? 'none' : charges > intents ? 'wrong' : 'right'
  clearTimeout(settling)
  if (intents === 0) return
  settling = setTimeout(() => {
    element('announcement').textContent = `${intents} payments wanted, ${charges} charges made. ${text}.`
  }, SETTLED_MS)
}

function verdict({ intents, charges, doubled }: Score): string {
  if (intents === 0) return 'Nothing paid yet'
  if (doubled > 0)
    return `${doubled} charged more than once: ${charges - intents > 0 ? charges - intents : doubled} too many`
  return charges === intents ? 'Each charged exactly once' : `${intents - charges} under way, none twice`
}
