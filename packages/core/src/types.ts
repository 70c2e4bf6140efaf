/** The public shapes of the core: calls, policies, attempts, outcomes. */
import type { Codec, Serializer } from './codec.ts'
import type { Duration } from './durations.ts'
import type { EventType, IdempotencyEvents } from './events.ts'
import type { ErrorType } from './failures.ts'
import type { RecordFilter } from './operators.ts'
import type { HandBack, RollBack, Unreplayable } from './outcome.ts'
import type { PurgeOptions, Purging } from './purge.ts'
import type { RecoverOptions, Recovery } from './recover.ts'
import type { IdempotencyStore, ListedRecord, RecordState, StoreCapabilities } from './store.ts'

/** Says out loud that a key belongs to nobody in particular: whoever sends it gets its result. */
export const unscoped: unique symbol = Symbol('retryproof.unscoped')

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

/** What a handler is told about the attempt that it is. */
export interface Attempt {
  /** The attempt's number, from 1. */
  readonly number: number
  /** The fencing token: hand it to downstream writes, which refuse a lower one. Null only when running unprotected. */
  readonly token: number | null
  /** An earlier attempt fell silent, and what it did is unknown. */
  readonly interrupted: boolean
  /** Aborts when the lease may be gone, or `maxRun` is over: stop before the next effect. */
  readonly signal: AbortSignal
  /**
   * A key for a downstream call that is the same in every attempt of this operation, key and payload.
   * `step` (1 to 64 of `A-Z a-z 0-9 _ . -`) tells several downstream calls apart.
   */
  keyFor(step: string): string
}

/** A step that is done, and what it gave. */
export interface CompletedStep {
  readonly name: string
  readonly value: unknown
}

/** Recovery points of a write that takes several steps, one after the other. */
export interface Steps<Tx> {
  /** What an earlier attempt completed, in order; empty on the first. */
  readonly checkpoint: readonly CompletedStep[]
  /**
   * A step with an effect elsewhere. Its value (JSON) is recorded, and a later attempt gets it without taking the step
   * again. After a crash between effect and record it is taken again: give the effect `keyFor(name)`.
   *
   * @throws InvalidStepError, LeaseLostError, StoreUnavailableError, and what `fn` throws
   */
  step<T>(name: string, fn: () => T | Promise<T>): Promise<T>
  /** A step in the store's own database: what `work` writes and the record of the step commit together. */
  transaction<T>(name: string, work: (tx: Tx) => T | Promise<T>): Promise<T>
}

/** Runs the write. What it returns is recorded and replayed. */
export type Handler<T, Tx = unknown> = (
  attempt: Attempt & Steps<Tx>,
) => T | HandBack<T> | Unreplayable<T> | Promise<T | HandBack<T> | Unreplayable<T>>

/** What the work of a transaction may return. */
export type Returned<T> = T | HandBack<T> | Unreplayable<T> | RollBack<T>

/**
 * Writes on an open transaction, which commits together with its key. It may run more than once: each time but the last
 * is rolled back. Where transactions are synchronous (SQLite), it must not return a promise.
 */
export type Work<T, Tx> = (tx: Tx, attempt: Attempt & { readonly token: number }) => Returned<T> | Promise<Returned<T>>

/** What to do with a failure: let the next call run again (perhaps not before a delay), or store it and replay it. */
export type FailureDecision = 'retry' | 'store' | { readonly retry: Duration }

/** What a resolver is told: the attempt that would run, and how far earlier ones certainly came. */
export type InterruptedAttempt = Attempt & Pick<Steps<unknown>, 'checkpoint'>

/** What an interrupted attempt came to, as a person or the downstream says. `'rerun'`: nothing happened. */
export type Resolution = 'rerun' | 'park' | { readonly completed: unknown } | { readonly failed: unknown }

/** A result that is kept as a reference, and made again from it: `rebuild` may read a database, and must not write. */
export interface ReferenceGuarantee {
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
  readonly guarantee?: 'strict' | 'semantic' | ReferenceGuarantee
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

export interface IdempotencyOptions<Tx = unknown> extends Policies {
  readonly store: IdempotencyStore<Tx>
  /** Whose records these are in a shared store, up to 255 characters. */
  readonly namespace: string
  /** Keys digests (HMAC), so that a dump of the store cannot be searched for known payloads. For the life of the namespace. */
  readonly secret?: string | Uint8Array
  /** What bytes go through on their way to the store, in order. @default [] */
  readonly codecs?: readonly Codec[]
  /** Error classes that stored failures are rethrown as. */
  readonly errors?: readonly ErrorType[]
  /** Bounds every call of the store. @default '5s' */
  readonly storeTimeout?: Duration
  /** How long a caller waits for its result to be recorded before it gets it with `recorded: false`. @default '15s' */
  readonly settleTimeout?: Duration
}

/** What `run` gives. */
export interface Outcome<T> {
  readonly value: T
  /** The value comes from a record: the handler was not run by this call. */
  readonly replayed: boolean
  /** The record says so too. False after `handBack`, and where recording failed: the effect is done, a retry may repeat it. */
  readonly recorded: boolean
  /** The number of the attempt that made the value. */
  readonly attempt: number
  /** How long the record goes on being replayed, in milliseconds; 0 where nothing is recorded. */
  readonly retentionRemainingMs: number
}

/** A record as `inspect` shows it. */
export interface Inspection {
  readonly state: RecordState
  readonly token: number
  readonly attempt: number
  readonly interrupted: boolean
  readonly leaseRemainingMs: number
  readonly retentionRemainingMs: number
  /** The recorded value of a completed record. */
  readonly value?: unknown
  /** The recorded failure of a failed record, or why a completed one has no value. */
  readonly error?: unknown
  /** Why what is recorded cannot be read here, where it cannot. */
  readonly unreadable?: Error
}

/** What `drain` left. */
export interface Drained {
  /** How many attempts were still running at the end of the time; each is left to its lease. */
  readonly unfinished: number
}

/** One kind of write, with its own policies. */
export interface Operation<Tx = unknown> {
  /**
   * Runs `handler` once for this key, and gives everybody its result.
   *
   * @throws MismatchError, InProgressError, OutcomeUnknownError, NotReplayableError, LeaseLostError, DrainingError,
   * StoreUnavailableError, InvalidCallError, and what the handler throws.
   */
  run<T>(call: Omit<Call, 'operation'>, handler: Handler<T, Tx>, policies?: Policies): Promise<Outcome<T>>
  /**
   * Runs `work` in a transaction of the store's database that also settles the key: both commit, or neither.
   *
   * @throws what `run` throws, TransactionConflictError, UnsupportedIsolationError, and what `work` throws
   */
  transaction<T>(
    call: Omit<Call, 'operation'>,
    work: Work<T, Tx>,
    policies?: TransactionPolicies<Tx>,
  ): Promise<Outcome<T>>
  /** `fn` as a function that runs once for each call that `describe` gives the same key. */
  wrap<Args extends unknown[], T>(
    fn: (...args: Args) => T | Promise<T>,
    describe: (...args: Args) => Omit<Call, 'operation'>,
    policies?: Policies,
  ): (...args: Args) => Promise<T>
  /** What stands under a key, or null. Changes nothing. */
  inspect(reference: Omit<Reference, 'operation'>): Promise<Inspection | null>
  /**
   * Ends the waiting of a parked key. `'rerun'` frees it for another attempt.
   *
   * @throws NotParkedError
   */
  resolve(reference: Omit<Reference, 'operation'>, resolution: Resolution): Promise<void>
  /** Makes a key new again, whatever state it is in; false where there was none. An attempt that runs finds itself lost. */
  forget(reference: Omit<Reference, 'operation'>): Promise<boolean>
}

/** One kind of write, by its name. */
export interface NamedOperation<Tx = unknown> extends Operation<Tx> {
  /** How long a call waits while another attempt holds its key, in milliseconds, unless it has a policy of its own. */
  readonly waitMs: number
  /**
   * Takes up what crashed or was released, and finishes it without waiting for its client: by the same policies and
   * leases as every call. Needs `storeRequest`, and a store that can list.
   *
   * @throws InvalidOptionError
   */
  recover(options: RecoverOptions<Tx>): Promise<Recovery>
  /**
   * A token for one run of this operation: signed, expiring, and bound to `scope`. For a hidden field of a form, or a
   * link. Needs a `secret`.
   *
   * @throws InvalidOptionError
   */
  issueToken(options: { readonly scope: Scope; readonly expiresIn: Duration }): Promise<string>
  /**
   * Runs `handler` once for a token, and replays its result when the token is redeemed again: for at least as long as
   * the token lives, also after its time, as long as the record is kept.
   *
   * @throws InvalidTokenError, and what `run` throws
   */
  redeem<T>(
    token: string,
    call: { readonly scope: Scope; readonly payload?: unknown },
    handler: Handler<T, Tx>,
    policies?: Policies,
  ): Promise<Outcome<T>>
}

/** Makes writes safe to retry. See `createIdempotency`. */
export interface Idempotency<Tx = unknown> {
  readonly namespace: string
  /** What its store can do. */
  readonly capabilities: StoreCapabilities
  /** @see Operation.run */
  run<T>(call: Call, handler: Handler<T, Tx>, policies?: Policies): Promise<Outcome<T>>
  /** A kind of write with policies of its own; its options are checked here and now. */
  operation(name: string, policies?: Policies): NamedOperation<Tx>
  /** @see Operation.transaction */
  transaction<T>(call: Call, work: Work<T, Tx>, policies?: TransactionPolicies<Tx>): Promise<Outcome<T>>
  /** @see Operation.wrap */
  wrap<Args extends unknown[], T>(
    fn: (...args: Args) => T | Promise<T>,
    describe: (...args: Args) => Call,
    policies?: Policies,
  ): (...args: Args) => Promise<T>
  /** @see Operation.inspect */
  inspect(reference: Reference): Promise<Inspection | null>
  /** Calls `listener` for each event of that type; gives back a function that stops it. */
  on<Type extends EventType>(type: Type, listener: (event: IdempotencyEvents[Type]) => void): () => void
  /** @see Operation.resolve */
  resolve(reference: Reference, resolution: Resolution): Promise<void>
  /** @see Operation.forget */
  forget(reference: Reference): Promise<boolean>
  /**
   * The records of this namespace, for operators. Storage keys carry digests: no raw keys are given. Namespaces whose
   * names make the same slug (`Shop!` and `shop`) are listed together: give those that share a store names that differ
   * in letters or digits.
   */
  list(filter?: RecordFilter): AsyncIterable<ListedRecord>
  /** Removes what has expired, on a timer, by one process of the fleet at a time. */
  startPurge(options?: PurgeOptions): Purging
  /**
   * For shutdown: refuses new work, goes on replaying, and waits at most `timeout` for what runs.
   * What is unfinished then is left to its lease.
   */
  drain(options?: { readonly timeout?: Duration }): Promise<Drained>
}
