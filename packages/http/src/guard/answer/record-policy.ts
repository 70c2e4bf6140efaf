/** Which answers are recorded and replayed, and which release the key for another attempt. */
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import type { HeaderField } from '../../protocol/exchange.ts'

/** What the decision is made from. */
export interface AnswerHead {
  readonly status: number
  readonly headers: readonly HeaderField[]
}

/**
 * `'final'`: what will not change when the same request is sent again, which is every status below 500 except those
 * that ask for another attempt. `'success'`: below 400. `'all'`: everything, server errors too.
 */
export type RecordPolicy = 'final' | 'success' | 'all' | ((answer: AnswerHead) => boolean)

/** Statuses that say: not now, not yet, not you. The same request may be answered otherwise later. */
const passing = new Set([401, 403, 407, 408, 412, 423, 425, 428, 429])

const presets = {
  final: ({ status }: AnswerHead) => status < 500 && !passing.has(status),
  success: ({ status }: AnswerHead) => status < 400,
  all: () => true,
} as const satisfies Record<string, (answer: AnswerHead) => boolean>

/** @throws IdempotencyInvalidOptionError unless `policy` is a preset or a predicate */
export function readRecordPolicy(policy: RecordPolicy): (answer: AnswerHead) => boolean {
  if (typeof policy === 'function') return policy
  if (Object.hasOwn(presets, policy)) return presets[policy]
  throw new IdempotencyInvalidOptionError(
    'record',
    `must be 'final', 'success', 'all' or a function, got ${String(policy)}`,
  )
}
