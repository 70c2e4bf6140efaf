/**
 * The port between the core and a database: what a store must do, and nothing about how.
 * The meaning of each operation is `reduce` (reduce.ts); the conformance suite checks a store against it.
 */

/** The states in which a record can be seen. `released` is free for the next attempt; `parked` waits for a person or a resolver. */
export type RecordState = 'in_progress' | 'released' | 'parked' | 'completed' | 'failed'

/** Capabilities of a store. Its optional methods (`purge`, `list`, `watch`, `bind`) say the rest. */
export interface StoreCapabilities {
  /** The clock that decides expiry: the database's, or that of the machine on which the code runs. */
  readonly clock: 'store' | 'host'
  /** An acknowledged change survives a crash of client and server. */
  readonly durable: boolean
  /** The range in which processes see the same records. */
  readonly shared: 'process' | 'host' | 'network'
  /** Not false if `bind` joins a caller's transaction; `'sync'` means that work inside it must not await. */
  readonly transactional: false | 'sync' | 'async'
  /** Transactions read a snapshot: a change from outside makes them fail, so that a heartbeat must not run beside them. */
  readonly snapshotTransactions?: boolean
  /** The largest value (request, checkpoint or result), in bytes. */
  readonly maxValueBytes: number
}

/** The request of a `begin`. Durations are whole milliseconds, at least 0 and at most 100 years. */
export interface Claim {
  /** Random id of one logical begin. The same owner again is the same begin, sent again. */
  readonly owner: string
  /** Digest of the payload. */
  readonly fingerprint: string
  /** The time after which an attempt that is not renewed may be taken over. */
  readonly leaseMs: number
  /** The time for which the record is remembered after its lease. */
  readonly retentionMs: number
  /** The encoded request, kept with the record for operators, resolvers and the recoverer. */
  readonly request?: Uint8Array
  /** Nobody changes the bytes of the reply: a store may give its own, without a copy. @default false */
  readonly readOnly?: boolean
}

/** Progress of an attempt; a checkpoint with a `seq` that is not above the stored one is ignored. */
export interface Checkpoint {
  readonly seq: number
  readonly data: Uint8Array
}

/** The changes that the holder of a token may make to its record. Durations are whole milliseconds. */
export type Change =
  | { readonly to: 'renew'; readonly leaseMs: number; readonly retentionMs?: number; readonly checkpoint?: Checkpoint }
  | {
      readonly to: 'completed' | 'failed'
      readonly result: Uint8Array
      readonly retentionMs: number
      /** Nobody changes the bytes of `result` any more: a store may keep them without a copy. @default false */
      readonly immutable?: boolean
    }
  | {
      readonly to: 'released'
      readonly delayMs: number
      readonly retentionMs: number
      readonly unresolved?: boolean
      /** Ends the record `retentionMs` after the delay, even if it was kept for longer. A store may ignore it. @default false */
      readonly shorten?: boolean
    }
  | { readonly to: 'parked'; readonly retentionMs: number }
  | { readonly to: 'forgotten'; readonly tombstoneMs: number }

/** A record without its values. Times are remaining ones, in whole milliseconds rounded up, by the store's clock. */
export interface RecordHead {
  readonly state: RecordState
  /** The fencing token of the attempt: it rises with every acquisition of the key. */
  readonly token: number
  /** The attempt's number, from 1. */
  readonly attempt: number
  /** The lease of an earlier attempt expired while it held the key: its outcome is unknown. */
  readonly interrupted: boolean
  /** 0 unless in progress (until another may take over) or released (until the next attempt is due). */
  readonly leaseRemainingMs: number
  /** Negative in a listing of expired records: the time since one expired. */
  readonly retentionRemainingMs: number
}

/** A record as its readers see it. */
export interface RecordView extends RecordHead {
  readonly fingerprint: string
  /** With `get`, and with `acquired` from attempt 2 on; else null. */
  readonly request: Uint8Array | null
  /** With `get` and `acquired`; else null. */
  readonly checkpoint: Checkpoint | null
  /** With `get`, `settled` and `lost`; else null. */
  readonly result: Uint8Array | null
}

/** The answer to `begin`. Only `acquired` gives the right to run. */
export type BeginReply = RecordView & { readonly outcome: 'acquired' | 'in_progress' | 'settled' | 'mismatch' }

/**
 * The answer to a transition. `applied: false`: the record was already there, and nothing changed.
 * `lost`: the token no longer holds the record; `current` is what stands there instead.
 */
export type TransitionReply =
  | { readonly outcome: 'ok'; readonly applied: boolean }
  | { readonly outcome: 'lost'; readonly current: RecordView | null }

/** The three operations on a transaction that is already open. They may answer synchronously. */
export interface BoundStore {
  begin(key: string, claim: Claim): BeginReply | Promise<BeginReply>
  transition(key: string, token: number, change: Change): TransitionReply | Promise<TransitionReply>
  get(key: string): RecordView | null | Promise<RecordView | null>
}

/** Selects the records of a listing. Without a member, all. */
export interface ListQuery {
  readonly namespace?: string
  readonly operation?: string
  /** The key of the last record of the page before: only records whose keys come after it. */
  readonly after?: string
  /** The beginning of the third part of the key: a digest of the scope. */
  readonly scope?: string
  readonly state?: RecordState
  /** Only records whose lease (or release delay) has been over for at least this many milliseconds. */
  readonly stuckForMs?: number
  /** Also records that have expired and were not purged yet. */
  readonly expired?: boolean
  readonly limit?: number
}

/** A record in a listing: its storage key, and its head without the values. */
export interface ListedRecord extends RecordHead {
  readonly key: string
  /** The time since the lease of an attempt in progress expired, in whole milliseconds; else 0. */
  readonly leaseExpiredMs: number
}

/** The live records of one operation in one state. */
export interface RecordCount {
  /** The operation as it stands in the key. */
  readonly operation: string
  readonly state: RecordState
  readonly records: number
  /** Those in progress whose lease has expired. */
  readonly leaseExpired: number
  /** The longest time since such a lease expired, in whole milliseconds; 0 where none has. */
  readonly longestExpiredMs: number
}

/**
 * A place for records. Each operation is atomic, can be repeated, and answers for the moment in which it took effect.
 *
 * @throws {@link StoreUnavailableError} when the store cannot do, or cannot know: after `applied: 'unknown'` the caller
 * repeats with the same owner or token
 */
export interface RecordStore {
  readonly capabilities: StoreCapabilities
  begin(key: string, claim: Claim): Promise<BeginReply>
  transition(key: string, token: number, change: Change): Promise<TransitionReply>
  get(key: string): Promise<RecordView | null>
  /** Removes at most `limit` records that expired at least `graceMs` ago, and says how many. @default graceMs 60_000 */
  purge?(options: { limit: number; graceMs?: number }): Promise<number>
  /** Lists records in the order of their keys. */
  list?(query: ListQuery): AsyncIterable<ListedRecord>
  /** Counts live records where the database can do so without sending them; else callers count a listing. */
  count?(query: { readonly namespace?: string }): Promise<readonly RecordCount[]>
  /** Calls `onChange` when the record may have changed, until `signal` aborts. Resolves when armed. A hint, never truth. */
  watch?(key: string, onChange: () => void, signal: AbortSignal): Promise<void>
}

/** The type of `tx` where the store has no transactions. The compiler prints `Advice` when a member of it is used. */
export interface NoTransactions<
  Advice = 'take postgresStore({ pool: new pg.Pool() }), or another store that has some',
> {
  /** Holds the advice for editors. No value has it: a transaction of such a store is refused before anything runs. */
  readonly advice?: Advice
  toString(): string
}

/** A store, and how it joins transactions (`Tx`) of its database where it can. */
export interface IdempotencyStore<Tx = NoTransactions> extends RecordStore {
  /** The three operations on a transaction that the caller opened. */
  bind?(tx: Tx): BoundStore
  /**
   * Commits when `work` resolves, rolls back when it throws, and then throws what it threw.
   *
   * @throws {@link TransactionConflictError} when another transaction came between, whichever statement failed
   * @throws {@link StoreUnavailableError} with `applied: 'unknown'` when the answer to COMMIT was lost
   */
  transaction?<T>(work: (tx: Tx) => T | Promise<T>): Promise<T>
}
