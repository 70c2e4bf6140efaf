/** One message, handled once: what is to become of it, for any consumer of any broker. */
import type { Attempt, Idempotency, Scope, Steps } from '@retryproof/core'
import { handleOnce, putAway, type Work } from './handle-once.ts'
import { type OnceOptions, readOnce } from './once-options.ts'
import type { DeadLetter, Verdict } from './verdict.ts'

/** A message, as far as it matters here. */
export interface IncomingMessage {
  /** What its publisher calls it: the same for each copy of the message, and for nothing else. 1 to 255 characters. */
  readonly id: string
  readonly scope: Scope
  /** What it says. Another message with the same id and another payload becomes a dead letter. */
  readonly payload?: unknown
  /** How often the broker has delivered it, this time included. Delays grow with it. @default 1 */
  readonly deliveries?: number
  /** Whether the broker will not deliver it again: it then becomes a dead letter instead of being lost. @default false */
  readonly isLastDelivery?: boolean
  /** Whether it comes from the dead letters. If its record says that it failed, it goes back there. @default false */
  readonly isRedriven?: boolean
  /** Puts it where a person will look; resolves when that is confirmed, and not before. */
  deadLetter(letter: DeadLetter): Promise<unknown>
}

/** What the work is told of its attempt. In a transaction it has no steps: that is one step. */
export type MessageAttempt<Tx, InTransaction extends boolean> = InTransaction extends true
  ? Attempt & { readonly token: number }
  : Attempt & Steps<Tx>

/** The open transaction; undefined where none was asked for. */
export type MessageTx<Tx, InTransaction extends boolean> = InTransaction extends true ? Tx : undefined

/** Handles a message. In a transaction it may run again after a conflict, rolled back before. What it returns is not kept. */
export type MessageWork<Tx, InTransaction extends boolean> = (
  attempt: MessageAttempt<Tx, InTransaction>,
  tx: MessageTx<Tx, InTransaction>,
) => unknown

/** What `once` needs of an instance. */
export type Deduplicating<Tx> = Pick<Idempotency<Tx>, 'operation' | 'capabilities'>

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
 * @throws InvalidOptionError
 */
export async function once<Tx, InTransaction extends boolean = false>(
  idempotency: Deduplicating<Tx>,
  { operation, ...message }: IncomingMessage & { readonly operation: string },
  work: MessageWork<Tx, InTransaction>,
  options: OnceOptions<InTransaction> = {},
): Promise<Verdict> {
  return createOnce(idempotency, operation, options)(message, work)
}

/**
 * `once` for a consumer: its options are checked here and now.
 *
 * @throws InvalidOptionError
 */
export function createOnce<Tx, InTransaction extends boolean = false>(
  idempotency: Deduplicating<Tx>,
  name: string,
  options: OnceOptions<InTransaction> = {},
): Once<Tx, InTransaction> {
  const read = readOnce(idempotency, options)
  const operation = idempotency.operation(name, read.policies)
  return async (message, work) => {
    const verdict = await handleOnce(operation, read, message, work as Work<Tx>)
    if (verdict.action === 'ack' || !message.isLastDelivery) return verdict
    const description = `The broker would not deliver it again (${verdict.because}).`
    return putAway(read, message, { reason: 'last delivery', description, error: verdict.error })
  }
}
