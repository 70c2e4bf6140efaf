/** Decides which answers are recorded and replayed, and which release the key for another attempt. */
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import type { HeaderField } from '../../protocol/exchange.ts'
import { requireSync } from '../require-sync.ts'

/** The answer of a handler, as a predicate sees it. */
export interface GivenAnswer {
  readonly status: number
  readonly headers: readonly HeaderField[]
  /** The bytes of the body, where they are held: not of a stream, nor of one that was compressed or is too large. */
  readonly body: Uint8Array | undefined
  /** Parses the body; `undefined` where it is not held, or is not JSON. */
  json(): unknown
}

/**
 * `'final'` records an answer that will not change when the same request is sent again: every status below 500, except
 * those that ask for another attempt. `'success'` records statuses below 400 except 207, `'all'` every answer, server errors too.
 * A function decides by status, headers and body. Taken from a member, so that the compiler prints these forms.
 */
export type RecordPolicy = { forms: 'final' | 'success' | 'all' | ((answer: GivenAnswer) => boolean) }['forms']

/** Statuses below 500 that release the key: the same request may be answered otherwise later. 207 holds failures. */
export const RELEASING_STATUSES = [207, 401, 403, 407, 408, 412, 423, 425, 428, 429] as const

const releasing: ReadonlySet<number> = new Set(RELEASING_STATUSES)

const policies = {
  final: ({ status }: GivenAnswer) => status < 500 && !releasing.has(status),
  success: ({ status }: GivenAnswer) => status < 400 && status !== 207,
  all: () => true,
} as const satisfies Record<string, (answer: GivenAnswer) => boolean>

/** @throws IdempotencyInvalidOptionError unless `policy` is a name or a predicate */
export function readRecordPolicy(policy: RecordPolicy): (answer: GivenAnswer) => boolean {
  if (typeof policy === 'function') return requireSync('record', policy)
  if (Object.hasOwn(policies, policy)) return policies[policy]
  throw new IdempotencyInvalidOptionError(
    'record',
    `must be 'final', 'success', 'all' or a function, got ${String(policy)}`,
  )
}
