/** Handles one message once, for any consumer of any broker. */

import { type Idempotency, IdempotencyInvalidOptionError } from '@retryproof/core'
import { describeKind, refuseMistypedMembers } from '@retryproof/core/internal'
import { handleOnce } from './handle-once.ts'
import type { IncomingMessage, MessageWork } from './message.ts'
import { type OnceOptions, readOnce } from './once-options.ts'
import { putAway } from './put-away.ts'
import type { Verdict } from './verdict.ts'
import type { Work } from './watch-work.ts'

const MEMBERS: ReadonlySet<string> = new Set<keyof IncomingMessage>([
  'id',
  'scope',
  'payload',
  'deliveries',
  'isLastDelivery',
  'isRedriven',
  'deadLetter',
])

/** Handles one message, see {@link once}. */
export type Once<Tx, InTransaction extends boolean> = (
  message: IncomingMessage,
  work: MessageWork<Tx, InTransaction>,
) => Promise<Verdict>

/**
 * Handles a message once for each consumer group, which is the operation: two groups do not suppress each other.
 *
 * Gives a verdict: `ack` means that the effect is recorded, or the dead letter confirmed; `redeliver` means that the
 * message must come back. No message of a broker makes it throw.
 *
 * @example
 * import { createIdempotency, unscoped } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 * import { once } from '@retryproof/messaging'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop' })
 * const deadLetter = async ({ description }: { description: string }) => console.error(description)
 * const message = { operation: 'shipping', id: 'order-1', payload: '{}', deadLetter }
 * const verdict = await once(idempotency, { ...message, scope: unscoped }, async (attempt) => {
 *   console.log('ship', attempt.keyFor('parcel'))
 * })
 * console.log(verdict.action)
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option cannot be used
 * @throws {@link IdempotencyInvalidCallError} when a member of the message is mistyped
 */
export async function once<Tx, InTransaction extends boolean = false>(
  idempotency: Idempotency<Tx>,
  { operation, ...message }: IncomingMessage & { readonly operation: string },
  work: MessageWork<Tx, InTransaction>,
  options: OnceOptions<InTransaction> = {},
): Promise<Verdict> {
  return createOnce(idempotency, operation, options)(message, work)
}

/**
 * Makes `once` for a consumer: checks the options now, and takes one message after the other.
 *
 * @example
 * import { createIdempotency, unscoped } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 * import { createOnce } from '@retryproof/messaging'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop' })
 * const once = createOnce(idempotency, 'shipping', { maxAttempts: 3 })
 * const deadLetter = async () => {}
 * const verdict = await once({ id: 'order-1', scope: unscoped, deadLetter }, () => console.log('ship'))
 * console.log(verdict.because)
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option cannot be used
 */
export function createOnce<Tx, InTransaction extends boolean = false>(
  idempotency: Idempotency<Tx>,
  name: string,
  options: OnceOptions<InTransaction> = {},
): Once<Tx, InTransaction> {
  const read = readOnce(idempotency, options)
  const operation = idempotency.operation(name, read.policies)
  return async (message, work) => {
    refuseMistypedMembers('message', message, MEMBERS)
    requireDeadLetter(message.deadLetter)
    const verdict = await handleOnce(operation, read, message, work as Work<Tx>)
    if (verdict.action === 'ack' || !message.isLastDelivery) return verdict
    const description = `The broker would not deliver it again (${verdict.because}).`
    return putAway(read, message, { reason: 'last-delivery', description, error: verdict.error })
  }
}

/** A message without it would come back for ever: nothing could put it away. */
function requireDeadLetter(deadLetter: unknown): void {
  if (typeof deadLetter !== 'function')
    throw new IdempotencyInvalidOptionError('deadLetter', `must be a function, got ${describeKind(deadLetter)}`)
}
