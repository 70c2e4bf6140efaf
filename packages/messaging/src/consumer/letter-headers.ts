/** Headers that a dead letter carries beside its message, whatever its broker calls headers. */
import type { DeadLetter } from '../once/verdict.ts'
import type { Delivery } from './delivery.ts'

/** Marks a message that comes from the dead letters. */
export const REASON_HEADER = 'retryproof-reason'
/** Carries the message's id, where the broker's own field for it is needed for something else. */
export const ID_HEADER = 'retryproof-id'
/** Counts how often the message became a dead letter. */
export const ROUND_HEADER = 'retryproof-round'

const MAX_DESCRIPTION = 500

/** Builds our headers of a dead letter. */
export function letterHeaders(
  group: string,
  { reason, description, attempts }: DeadLetter,
  { origin, id, round }: { readonly origin: Delivery<unknown>['origin']; readonly id?: string; readonly round: number },
): Record<string, string> {
  return {
    ...origin,
    [REASON_HEADER]: reason,
    'retryproof-description': inOneLine(description),
    'retryproof-operation': inOneLine(group),
    'retryproof-at': new Date().toISOString(),
    [ROUND_HEADER]: String(round),
    ...(id !== undefined && { [ID_HEADER]: id }),
    ...(attempts !== undefined && { 'retryproof-attempts': String(attempts) }),
  }
}

/** Returns how often a message became a dead letter. A publisher may write what it likes there: it only slows its message. */
export function roundOf({ header }: Pick<Delivery<unknown>, 'header'>): number {
  if (header(REASON_HEADER) === undefined) return 0
  const round = Number(header(ROUND_HEADER))
  return Number.isSafeInteger(round) && round > 0 ? round : 1
}

/** Keeps a header to one line of ASCII: some brokers take nothing else, and none takes much. */
function inOneLine(text: string): string {
  return text.slice(0, MAX_DESCRIPTION).replace(/[^\x20-\x7e]+/g, ' ')
}
