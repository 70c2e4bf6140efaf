/** Types of an instance and of its operations. */

import type { Duration } from '../base/durations.ts'
import type { IdempotencyStore, ListedRecord, RecordCount, StoreCapabilities } from '../store/store.ts'
import type { Handler, Work } from './attempt.ts'
import type { Call, Outcome, Reference, Scope } from './call.ts'
import type { EventType, IdempotencyEvents } from './events.ts'
import type {
  Drained,
  Inspection,
  PurgeOptions,
  PurgeRunner,
  RecordFilter,
  RecoverOptions,
  Recovery,
  StoredKey,
} from './operators.ts'
import type { Policies, Resolution, TransactionPolicies } from './policies.ts'
import type { Replayed } from './replayed.ts'
import type { Codec, ErrorType } from './serialization.ts'

export interface IdempotencyOptions<Tx = unknown> extends Policies {
  /** Keeps the records: the store of an adapter, or one of your own. */
  readonly store: IdempotencyStore<Tx>
  /** Names the owner of the records in a shared store, up to 255 characters. */
  readonly namespace: string
  /** Keys digests (HMAC), so that a dump of the store cannot be searched for known payloads. For the life of the namespace. */
  readonly secret?: string | Uint8Array
  /** Codecs that bytes pass on their way to the store, in order. @default [] */
  readonly codecs?: readonly Codec[]
  /** Error classes that stored failures are rethrown as. */
  readonly errors?: readonly ErrorType[]
  /** Bounds every call of the store. @default '5s' */
  readonly storeTimeout?: Duration
  /** Bounds the wait of a caller for its recording, after which it gets its result with `recorded: false`. @default '15s' */
  readonly settleTimeout?: Duration
  /**
   * Removes expired records on a timer that begins with the first call and ends with `drain`, where the store needs it: one
   * process of the fleet at a time, in batches. `false` removes nothing. @default { every: '1m', batch: 1000 }
   */
  readonly purge?: PurgeOptions | false
}

/** The methods that an instance and an operation share. Calls of an operation do not repeat its name. */
export interface Writes<Tx, WriteCall extends Omit<Call, 'operation'>, WriteReference> {
  /**
   * Runs `handler` once for this key and returns its result to every caller.
   *
   * The type of the result says what JSON makes of it (`Replayed`: a `Date` is a text). With a serializer that keeps more,
   * name the type that it gives: `run<Order, Order>(…)`.
   *
   * If the process crashes, the next call takes over when the `lease` has expired. If the handler throws, the key is
   * released (`onFailure: 'retry'`) or the error is recorded (`'store'`). If recording fails, the value is returned
   * with `recorded: false`.
   *
   * @example
   * import { createIdempotency } from '@retryproof/core'
   * import { memoryStore } from '@retryproof/memory'
   *
   * const charges = createIdempotency({ store: memoryStore(), namespace: 'payments' }).operation('charge')
   * const { value, replayed } = await charges.run(
   *   { scope: 'user_42', key: 'k1', payload: { amount: 100 } },
   *   async (attempt) => ({ chargedBy: attempt.keyFor('charge') }),
   * )
   *
   * @throws {@link IdempotencyKeyReusedError} when the key was used with another payload
   * @throws {@link IdempotencyInProgressError} when another attempt holds the key and does not settle it in time
   * @throws {@link IdempotencyOutcomeUnknownError} when the key is parked
   * @throws {@link IdempotencyNotReplayableError} when the write completed and its value was not kept
   * @throws {@link IdempotencyMaxAttemptsError} when `maxAttempts` attempts failed
   * @throws {@link IdempotencyLeaseLostError} when another attempt took over and is not done
   * @throws {@link IdempotencyDrainingError} when this process is shutting down
   * @throws {@link StoreUnavailableError} when the store does not answer
   * @throws {@link IdempotencyInvalidCallError} when a part of the call cannot be used
   */
  run<T, Value = Replayed<T>>(call: WriteCall, handler: Handler<T, Tx>, policies?: Policies): Promise<Outcome<Value>>
  /**
   * Runs `work` in a transaction of the store's database that also settles the key: both commit, or neither.
   * Throws what `run` throws, and what `work` throws.
   *
   * @throws {@link TransactionConflictError} when other transactions came between each time
   * @throws {@link UnsupportedIsolationError} when `tx` reads a snapshot that may be out of date
   */
  transaction<T, Value = Replayed<T>>(
    call: WriteCall,
    work: Work<T, Tx>,
    policies?: TransactionPolicies<Tx>,
  ): Promise<Outcome<Value>>
  /** Returns `fn` as a function that runs once for each key that `describe` derives from its arguments. */
  wrap<Args extends unknown[], T, Value = Replayed<T>>(
    fn: (...args: Args) => T | Promise<T>,
    describe: (...args: Args) => WriteCall,
    policies?: Policies,
  ): (...args: Args) => Promise<Value>
  /** Returns the record of a key, or of a listed record; null if there is none. Read-only. */
  inspect(reference: WriteReference | StoredKey): Promise<Inspection | null>
  /**
   * Resolves a parked key: records a result or a failure, or releases the key (`'rerun'`). Refuses a result that the
   * callers of the operation could not read: one that its serializer does not take, or of another form than its records.
   *
   * @throws {@link IdempotencyNotParkedError} when the record is in another state, or of another attempt than the `token` given
   * @throws {@link IdempotencyInvalidCallError} when the result has another form than the records of the operation
   */
  resolve(reference: WriteReference | StoredKey, resolution: Resolution): Promise<void>
  /**
   * Deletes the record of a key in any state. Returns false if there was none, or none of the attempt whose `token` is given.
   * A running attempt loses its lease.
   */
  forget(reference: WriteReference | StoredKey): Promise<boolean>
}

/** One kind of write, with a name and policies of its own. */
export interface Operation<Tx = unknown> extends Writes<Tx, Omit<Call, 'operation'>, Omit<Reference, 'operation'>> {
  /**
   * Takes up what crashed or was released, and finishes it without waiting for its client: by the same policies and
   * leases as every call. Needs `storeRequest`, and a store that can list.
   *
   * @throws {@link IdempotencyInvalidOptionError} when the store or an option rules it out
   */
  recover(options: RecoverOptions<Tx>): Promise<Recovery>
  /**
   * A token for one run of this operation: signed, expiring, and bound to `scope`. For a hidden field of a form, or a
   * link. Needs a `secret`.
   *
   * @throws {@link IdempotencyInvalidOptionError} when the store or an option rules it out
   */
  issueToken(options: { readonly scope: Scope; readonly expiresIn: Duration }): Promise<string>
  /**
   * Runs `handler` once for a token, and replays its result when the token is redeemed again: for at least as long as
   * the token lives, also after its time, as long as the record is kept.
   *
   * Throws what `run` throws.
   *
   * @throws {@link IdempotencyInvalidTokenError} when the token was not issued for this, or has expired and has no record
   */
  redeem<T, Value = Replayed<T>>(
    token: string,
    call: { readonly scope: Scope; readonly payload?: unknown },
    handler: Handler<T, Tx>,
    policies?: Policies,
  ): Promise<Outcome<Value>>
}

/** Makes writes safe to retry. See `createIdempotency`. */
export interface Idempotency<Tx = unknown> extends Writes<Tx, Call, Reference> {
  /** The namespace that `createIdempotency` was given. */
  readonly namespace: string
  /** The capabilities of its store. */
  readonly capabilities: StoreCapabilities
  /**
   * Names a kind of write and gives it policies of its own.
   *
   * @throws {@link IdempotencyInvalidOptionError} when a policy is out of range
   */
  operation(name: string, policies?: Policies): Operation<Tx>
  /** Calls `listener` for each event of that type; returns a function that stops it. */
  on<Type extends EventType>(type: Type, listener: (event: IdempotencyEvents[Type]) => void): () => void
  /**
   * Lists the records of this namespace, for operators. Storage keys carry digests and no raw keys. Namespaces whose
   * names make the same slug (`Shop!` and `shop`) are listed together: give those that share a store names that differ
   * in letters or digits.
   */
  list(filter?: RecordFilter): AsyncIterable<ListedRecord>
  /**
   * Counts the live records of this namespace by operation and state. The databases count by themselves; for a store that
   * cannot, every record is read.
   *
   * @throws {@link IdempotencyInvalidOptionError} when the store cannot list
   */
  count(): Promise<readonly RecordCount[]>
  /**
   * Deletes every record of a scope in this namespace, for a person's right to erasure. Returns their number. Each leaves
   * its fencing token for a minute, and nothing else. Records that expired before are left to the purge.
   *
   * @throws {@link IdempotencyInvalidOptionError} when the store cannot list
   */
  eraseScope(scope: Scope): Promise<number>
  /**
   * Removes expired records as `purge` says, at once instead of from the first call on. Replaces the timer of that option, and
   * stops the runner of an earlier `startPurge` of this instance. After `drain`, it purges nothing.
   */
  startPurge(options?: PurgeOptions): PurgeRunner
  /**
   * Shuts down: refuses new work, goes on replaying, purges no more, and waits at most `timeout` for running attempts,
   * and a turn of the event loop for their answers. Leaves unfinished attempts to their leases.
   */
  drain(options?: { readonly timeout?: Duration }): Promise<Drained>
}
