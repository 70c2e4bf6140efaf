/** Types of what operators call: inspect, list, purge, recover, drain. */

import type { Duration } from '../base/durations.ts'
import type { ListedRecord, RecordHead, RecordState } from '../store/store.ts'
import type { Handler, Work } from './attempt.ts'
import type { Call, Scope } from './call.ts'

/** A record as `inspect` shows it. */
export interface Inspection extends RecordHead {
  /** The storage key, as `list` names it. */
  readonly key: string
  /** The digest of the payload. */
  readonly fingerprint: string
  /** The recorded value of a completed record. */
  readonly value?: unknown
  /** The recorded failure of a failed record, or why a completed one has no value. */
  readonly error?: unknown
  /** The kept request, where the operation keeps requests (`storeRequest`) and it can be read here. */
  readonly request?: KeptCall
  /** Why what is recorded cannot be read here, where it cannot. */
  readonly unreadable?: Error
}

/** The result of `drain`. */
export interface Drained {
  /** The number of attempts that were still running at the end of the time; each is left to its lease. */
  readonly unfinished: number
}

/** Selects the records of a listing. Without a member, selects all of the namespace. */
export interface RecordFilter {
  readonly operation?: string
  /** Selects the records of one scope, of every operation unless `operation` is given. */
  readonly scope?: Scope
  readonly state?: RecordState
  /** Only records whose lease, or delay, has been over for at least this long: nobody works on them. */
  readonly stuckFor?: Duration
  /** Also what has expired and was not purged yet. @default false */
  readonly expired?: boolean
  /** The key of the last record of the page before. Records are listed in the order of their keys. */
  readonly after?: string
  readonly limit?: number
}

/**
 * A record as `list` names it. With its `token`, a change is made only while the record is still the one of that attempt: the
 * store compares it in the same step.
 */
export type StoredKey = Pick<ListedRecord, 'key'> & Partial<Pick<ListedRecord, 'token'>>

export interface PurgeOptions {
  /** The interval between purges of the whole fleet, not of each process. @default '1m' */
  readonly every?: Duration
  /** The most records that are removed at once. @default 1000 */
  readonly batch?: number
  /** Told after each purge of this process. */
  readonly onPurged?: (removed: number) => void
}

/** A purge runner. */
export interface PurgeRunner {
  /** Purges no more; resolves when a purge that runs is over. */
  stop(): Promise<void>
}

/** A call as it was kept; its payload is its `request`, where it had one. */
export type KeptCall = Pick<Call, 'operation' | 'scope' | 'key' | 'payload'>

interface RecoverBase {
  /** Tells whether the scope of the call may still do this. Parks a refused call, for a person to look at. */
  readonly authorize: (call: KeptCall) => boolean | Promise<boolean>
  /** Bounds the records that one pass finishes or parks. Records that fail or are skipped do not count. @default 1000 */
  readonly limit?: number
}

/** `handler` for calls that are made with `run`, `work` for those that are made with `transaction`. */
export type RecoverOptions<Tx = unknown> = RecoverBase &
  (
    | {
        /** Does what the call asked, as the handler of the call would have. */
        readonly handler: (call: KeptCall, attempt: Parameters<Handler<unknown, Tx>>[0]) => ReturnType<Handler<unknown>>
        readonly work?: never
      }
    | {
        /** The same in a transaction that also settles the key (mode `'fenced'`). */
        readonly work: (call: KeptCall, ...given: Parameters<Work<unknown, Tx>>) => ReturnType<Work<unknown, Tx>>
        readonly handler?: never
      }
  )

/** A record that `recover` could not finish. */
export interface RecoveryError {
  /** The storage key. */
  readonly key: string
  readonly error: unknown
}

/** The result of a pass of `recover`. */
export interface Recovery {
  readonly finished: number
  /** The handler, `authorize`, or the store failed for so many records. The failure policy decides what comes next. */
  readonly failed: number
  /** Parked by the takeover policy, or because `authorize` returned false. */
  readonly parked: number
  /** Another call was faster, nothing was kept, or the kept request is not a call of this operation. */
  readonly skipped: number
  /** The first 100 errors, with the keys of their records. Each is emitted as `recoveryFailed` too. */
  readonly errors: readonly RecoveryError[]
}
