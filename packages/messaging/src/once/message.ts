/** Types of an incoming message, and of the work that handles it. */
import type { Attempt, Scope, Steps } from '@retryproof/core'
import type { DeadLetter } from './verdict.ts'

/** A message of any broker. */
export interface IncomingMessage {
  /** Its publisher's name for it: the same for each copy of the message, and for nothing else. 1 to 255 characters. */
  readonly id: string
  readonly scope: Scope
  /** Its contents. Another message with the same id and another payload becomes a dead letter. */
  readonly payload?: unknown
  /** Counts the broker's deliveries of it, this one included. Delays grow with it. @default 1 */
  readonly deliveries?: number
  /** Says that the broker will not deliver it again: it then becomes a dead letter instead of being lost. @default false */
  readonly isLastDelivery?: boolean
  /** Says that it comes from the dead letters. It goes back there if its record says that it failed. @default false */
  readonly isRedriven?: boolean
  /** Puts it where a person will look. Resolves when that is confirmed, and not before. */
  deadLetter(letter: DeadLetter): Promise<unknown>
}

/** The attempt of the work. In a transaction it has no steps: the transaction is one step. */
export type MessageAttempt<Tx, InTransaction extends boolean> = InTransaction extends true
  ? Attempt & { readonly token: number }
  : Attempt & Steps<Tx>

/** The open transaction; undefined where none was asked for. */
export type MessageTx<Tx, InTransaction extends boolean> = InTransaction extends true ? Tx : undefined

/** Handles a message. In a transaction it may run again after a conflict, rolled back before. Its value is not kept. */
export type MessageWork<Tx, InTransaction extends boolean> = (
  attempt: MessageAttempt<Tx, InTransaction>,
  tx: MessageTx<Tx, InTransaction>,
) => unknown
