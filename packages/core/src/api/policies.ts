/** Policies of an instance, an operation or a call. */

import type { Duration } from '../base/durations.ts'
import type { InterruptedAttempt } from './attempt.ts'
import type { Serializer } from './serialization.ts'

/** The decision about a failure: lets the next call run again (perhaps not before a delay), or stores and replays it. */
export type FailureDecision = 'retry' | 'store' | { readonly retry: Duration }

/** The result of an interrupted attempt, as a person or the downstream says. `'rerun'`: nothing happened. */
export type Resolution = 'rerun' | 'park' | { readonly completed: unknown } | { readonly failed: unknown }

/** A result that is kept as a reference, and made again from it: `rebuild` may read a database, and must not write. */
export interface ReplayByReference {
  /** Returns the JSON value that is recorded: an order's id, say. */
  reference(value: unknown): unknown
  /** The value as it is now. */
  rebuild(reference: unknown): unknown
}

/** Policies of a kind of write. Each can be set for the instance, an operation, or one call; the nearest wins. */
export interface Policies {
  /** The time after which an attempt that is not renewed may be taken over; renewed while the handler runs. @default '30s' */
  readonly lease?: Duration
  /** The time for which a settled record is replayed. At least 1 s. @default '24h' */
  readonly retention?: Duration
  /** The time after which a handler's lease is no longer renewed and its signal aborts. @default '15m' */
  readonly maxRun?: Duration
  /** Decides about a failure of the handler. @default 'retry' */
  readonly onFailure?: FailureDecision | ((error: unknown) => FailureDecision)
  /** Rejects or waits while another attempt holds the key. @default 'reject' */
  readonly onInProgress?: 'reject' | { readonly wait: Duration }
  /**
   * Decides about a key whose lease expired, so that its outcome is unknown: runs the handler again, parks the
   * key until somebody resolves it, or asks (the downstream, for instance) what happened. Transactions never ask:
   * what did not commit did not happen. @default 'rerun'
   */
  readonly onTakeover?: 'rerun' | 'park' | ((attempt: InterruptedAttempt) => Resolution | Promise<Resolution>)
  /** The most attempts under one key, after which it is parked (if interrupted) or fails for good. @default unlimited */
  readonly maxAttempts?: number
  /**
   * The value of a replay: the recorded one byte for byte (`'strict'`), a value rebuilt from a reference, or only the
   * fact that it is done (`'semantic'`: `undefined`). @default 'strict'
   */
  readonly replay?: 'strict' | 'semantic' | ReplayByReference
  /**
   * Keeps what was asked with the record, so that `recover` can finish it without its client. `'encrypted'` needs a
   * codec that encrypts; `'plaintext'` says out loud that it may be read in the store. @default 'no'
   */
  readonly storeRequest?: 'no' | 'encrypted' | 'plaintext'
  /**
   * Rejects while the store cannot be reached, or runs without protection. A result of the latter is
   * recorded afterwards if it can be. @default 'reject'
   */
  readonly onStoreUnavailable?: 'reject' | 'proceed'
  /** Turns results into bytes. @default json() */
  readonly serializer?: Serializer
}

/** Policies of a transaction. */
export interface TransactionPolicies<Tx> extends Policies {
  /**
   * `'fenced'`: the key is begun first, and duplicates are refused at once; then write and settling commit together.
   * `'single'`: all in one transaction, for which duplicates wait. @default 'fenced'
   */
  readonly mode?: 'fenced' | 'single'
  /** A transaction that you opened, and will commit or roll back: begin, work and settling happen in it. */
  readonly tx?: Tx
}
