/** One message, handled once: what is to become of it, for any consumer of any broker. */

import type { Idempotency } from '@retryproof/core'
import { putAway } from './dead-letter.ts'
import { handleOnce } from './handle-once.ts'
import type { IncomingMessage, MessageWork } from './message.ts'
import { type OnceOptions, readOnce } from './once-options.ts'
import type { Verdict } from './verdict.ts'
import type { Work } from './watch-work.ts'

/** @see once */
export type Once<Tx, InTransaction extends boolean> = (
  message: IncomingMessage,
  work: MessageWork<Tx, InTransaction>,
) => Promise<Verdict>

/**
 * Handles a message once for each consumer group, which is the operation: two groups do not suppress each other.
 *
 * Then do what the verdict says: `ack` means that the effect is recorded, or the dead letter confirmed; `redeliver` that
 * the message must come back. No message makes it throw.
 *
 * @throws IdempotencyInvalidOptionError
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
 * `once` for a consumer: its options are checked here and now.
 *
 * @throws IdempotencyInvalidOptionError
 */
export function createOnce<Tx, InTransaction extends boolean = false>(
  idempotency: Idempotency<Tx>,
  name: string,
  options: OnceOptions<InTransaction> = {},
): Once<Tx, InTransaction> {
  const read = readOnce(idempotency, options)
  const operation = idempotency.operation(name, read.policies)
  return async (message, work) => {
    const verdict = await handleOnce(operation, read, message, work as Work<Tx>)
    if (verdict.action === 'ack' || !message.isLastDelivery) return verdict
    const description = `The broker would not deliver it again (${verdict.because}).`
    return putAway(read, message, { reason: 'last-delivery', description, error: verdict.error })
  }
}
