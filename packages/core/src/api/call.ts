/** The public shapes of the core: calls, policies, attempts, outcomes. */

/** Declares that a key belongs to no tenant or user: every caller who sends it gets its result. Recognized across copies of the package. */
export const unscoped: unique symbol = Symbol.for('retryproof.unscoped')

/** Whose key it is: tenant and/or user. Part of every storage key, so that nobody is given another's result. */
export type Scope = string | readonly string[] | typeof unscoped

/** Names one record. */
export interface Reference {
  /** The kind of write, up to 255 characters: `charge`, `POST /orders/:id/refunds`. */
  readonly operation: string
  readonly scope: Scope
  /** The caller's idempotency key: 1 to 255 characters. */
  readonly key: string
}

/** One call of an operation. */
export interface Call extends Reference {
  /** What was asked. The same key with another payload is a mismatch. A JSON value, text or bytes. */
  readonly payload?: unknown
  /** What `storeRequest` keeps for `recover`, where that is more than the payload. @default payload */
  readonly request?: unknown
  /** Ends a wait (`onInProgress: { wait }`) when the caller goes away. It does not cancel the handler. */
  readonly signal?: AbortSignal
}

/** What `run` gives. */
export interface Outcome<T> {
  readonly value: T
  /** The value comes from a record: the handler was not run by this call. */
  readonly replayed: boolean
  /** The record says so too. False after `release`, and where recording failed: the effect is done, a retry may repeat it. */
  readonly recorded: boolean
  /** The number of the attempt that made the value. */
  readonly attempt: number
  /** How long the record goes on being replayed, in milliseconds; 0 where nothing is recorded. */
  readonly retentionRemainingMs: number
}
