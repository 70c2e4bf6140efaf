/** Types of an instance and of its operations. */

import type { Duration } from '../base/durations.ts'
import type { IdempotencyStore, ListedRecord, StoreCapabilities } from '../store/store.ts'
import type { Handler, Work } from './attempt.ts'
import type { Call, Outcome, Reference, Scope } from './call.ts'
import type { EventType, IdempotencyEvents } from './events.ts'
import type { Drained, Inspection, PurgeOptions, Purging, RecordFilter, RecoverOptions, Recovery } from './operators.ts'
import type { Policies, Resolution, TransactionPolicies } from './policies.ts'
import type { Codec, ErrorType } from './serialization.ts'

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
