/** What a dead letter carries beside the message that it was, in whatever its broker calls headers. */
import type { DeadLetter } from '../once/verdict.ts'

/** Its presence says that a message comes from the dead letters. */
export const REASON_HEADER = 'retryproof-reason'
/** The message's id, where the broker's own field for it is needed for something else. */
export const ID_HEADER = 'retryproof-id'

const MAX_DESCRIPTION = 500

export function deadLetterHeaders(
  group: string,
  { reason, description, attempts }: DeadLetter,
): Record<string, string> {
  return {
    [REASON_HEADER]: reason,
    'retryproof-description': inOneLine(description),
    'retryproof-operation': inOneLine(group),
    'retryproof-at': new Date().toISOString(),
    ...(attempts !== undefined && { 'retryproof-attempts': String(attempts) }),
  }
}

/** Headers are of one line; some brokers take ASCII only, and none takes much. */
function inOneLine(text: string): string {
  return text.slice(0, MAX_DESCRIPTION).replace(/[^\x20-\x7e]+/g, ' ')
}
