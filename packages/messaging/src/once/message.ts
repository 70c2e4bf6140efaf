/** An incoming message, and the work that handles it. */
import type { Attempt, Scope, Steps } from '@retryproof/core'
import type { DeadLetter } from './verdict.ts'

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
