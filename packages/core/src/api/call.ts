/** The public shapes of the core: calls, policies, attempts, outcomes. */

/** Declares that a key belongs to no tenant or user: every caller who sends it gets its result. Recognized across copies of the package. */
export const unscoped: unique symbol = Symbol.for('retryproof.unscoped')

/** The owner of a key: tenant and/or user. Part of every storage key, so that nobody is given another's result. */
export type Scope = string | readonly string[] | typeof unscoped

/** Names one record. */
export interface Reference {
  /** The kind of write, up to 255 characters: `charge`, `POST /orders/:id/refunds`. */
  readonly operation: string
  /** The owner of the key: a tenant, a user, or both; `unscoped` where there is none. */
  readonly scope: Scope
  /** The caller's idempotency key: 1 to 255 characters. */
  readonly key: string
}

/** One call of an operation. */
export interface Call extends Reference {
  /** The request. The same key with another payload is a mismatch. A JSON value, text or bytes. */
  readonly payload?: unknown
  /** The request that `storeRequest` keeps for `recover`, if that is more than the payload. @default payload */
  readonly request?: unknown
  /** Ends a wait (`onInProgress: { wait }`) when the caller goes away. It does not cancel the handler. */
  readonly signal?: AbortSignal | undefined
}

/** The result of `run`. */
export interface Outcome<T> {
  /**
   * The value as every caller gets it: through the serializer. With `json()`, the default, a `Date` is a text, methods are
   * gone, and an `undefined` member is left out. A value that JSON cannot hold reaches its first caller as it is, once.
   */
  readonly value: T
  /** The value comes from a record: the handler was not run by this call. */
  readonly replayed: boolean
  /** The record says so too. False after `release`, and where recording failed: the effect is done, a retry may repeat it. */
  readonly recorded: boolean
  /** The number of the attempt that made the value. */
  readonly attempt: number
  /** The remaining time of replays, in milliseconds; 0 if nothing is recorded. */
  readonly retentionRemainingMs: number
}
