/** Policies of an instance, an operation or a call. */

import type { Duration } from '../base/durations.ts'
import type { InterruptedAttempt } from './attempt.ts'
import type { Serializer } from './serialization.ts'

/** What to do with a failure: let the next call run again (perhaps not before a delay), or store it and replay it. */
export type FailureDecision = 'retry' | 'store' | { readonly retry: Duration }

/** What an interrupted attempt came to, as a person or the downstream says. `'rerun'`: nothing happened. */
export type Resolution = 'rerun' | 'park' | { readonly completed: unknown } | { readonly failed: unknown }

/** A result that is kept as a reference, and made again from it: `rebuild` may read a database, and must not write. */
export interface ReplayByReference {
  /** What is recorded (a JSON value): an order's id, say. */
  reference(value: unknown): unknown
  /** The value as it is now. */
  rebuild(reference: unknown): unknown
}

/** Policies of a kind of write. Each can be set for the instance, an operation, or one call; the nearest wins. */
export interface Policies {
  /** How long an attempt may be silent before another may take over; renewed while the handler runs. @default '30s' */
  readonly lease?: Duration
  /** How long a settled record is replayed. At least 1 s. @default '24h' */
  readonly retention?: Duration
  /** How long a handler may run before its lease is no longer renewed and its signal aborts. @default '15m' */
  readonly maxRun?: Duration
  /** What a failure of the handler leaves. @default 'retry' */
  readonly onFailure?: FailureDecision | ((error: unknown) => FailureDecision)
  /** What a call does while another attempt holds the key. @default 'reject' */
  readonly onInProgress?: 'reject' | { readonly wait: Duration }
  /**
   * What becomes of a key whose holder fell silent, so that nobody knows what it did: run the handler again, park the
   * key until somebody resolves it, or ask (the downstream, for instance) what happened. Transactions never ask:
   * what did not commit did not happen. @default 'rerun'
   */
  readonly onTakeover?: 'rerun' | 'park' | ((attempt: InterruptedAttempt) => Resolution | Promise<Resolution>)
  /** How often an operation is attempted under one key before it is parked (interrupted) or poisoned. @default unlimited */
  readonly maxAttempts?: number
  /**
   * What a replay gives: the recorded value byte for byte (`'strict'`), a value rebuilt from a reference, or only the
   * fact that it is done (`'semantic'`: `undefined`). @default 'strict'
   */
  readonly replay?: 'strict' | 'semantic' | ReplayByReference
  /**
   * Keeps what was asked with the record, so that `recover` can finish it without its client. `'encrypted'` needs a
   * codec that encrypts; `'plaintext'` says out loud that it may be read in the store. @default 'no'
   */
  readonly storeRequest?: 'no' | 'encrypted' | 'plaintext'
  /**
   * What a call does while the store cannot be reached: fail, or run without protection. A result of the latter is
   * recorded afterwards if it can be. @default 'reject'
   */
  readonly onStoreUnavailable?: 'reject' | 'proceed'
  /** How results become bytes. @default json() */
  readonly serializer?: Serializer
}

/** How a transaction is made. */
export interface TransactionPolicies<Tx> extends Policies {
  /**
   * `'fenced'`: the key is begun first, and duplicates are refused at once; then write and settling commit together.
   * `'single'`: all in one transaction, for which duplicates wait. @default 'fenced'
   */
  readonly mode?: 'fenced' | 'single'
  /** A transaction that you opened, and will commit or roll back: begin, work and settling happen in it. */
  readonly tx?: Tx
}
