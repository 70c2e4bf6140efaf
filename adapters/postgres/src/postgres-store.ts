import { setTimeout as sleep } from 'node:timers/promises'
import {
  type BeginReply,
  type Change,
  type Claim,
  type IdempotencyStore,
  type ListedRecord,
  type ListQuery,
  type RecordStore,
  type RecordView,
  StoreMisconfiguredError,
  StoreUnavailableError,
  type TransitionReply,
  toMs,
  UnsupportedIsolationError,
} from '@retryproof/core/store'
import {
  ask,
  isEmbedded,
  isPool,
  type PostgresDatabase,
  type PostgresEmbedded,
  type PostgresPool,
  type PostgresPoolClient,
  type PostgresQueryable,
  requireTransaction,
  type Statement,
} from './driver.ts'
import { isConflict, isStale, toStoreError } from './errors.ts'
import { type Reply, toLiveView, toView } from './record.ts'
import { tableNames } from './schema.ts'
import { statements } from './statements.ts'
import { inTransaction } from './transaction.ts'
import { createWatch } from './watch.ts'

export interface PostgresStoreOptions<Tx> {
  /** A pg.Pool, a connected pg.Client or a PGlite. It stays the caller's, who closes it. */
  readonly pool: PostgresDatabase<Tx>
  /** The table, perhaps with its schema. `migrate` makes it. @default 'retryproof' */
  readonly table?: string
  /** Prepares each statement once per connection. `false` behind PgBouncer in transaction mode. @default true */
  readonly prepare?: boolean
  /**
   * Wakes who waits for a record by NOTIFY, on a client taken from this pool for as long as somebody waits. It may be
   * `pool`, unless that goes through a pooler. Every process that shares the table needs it. Without it waiters poll.
   */
  readonly watch?: PostgresPool<PostgresPoolClient>
  /** How long a statement in `transaction` waits for other transactions, in milliseconds. @default 5_000 */
  readonly lockTimeoutMs?: number
  /** Replaces the server's clock (ms). For tests only. */
  readonly now?: (() => number) | undefined
}

/** What a single client gives: a transaction on it would swallow every other call. */
export type PostgresRecordStore = RecordStore & Required<Pick<RecordStore, 'purge' | 'list'>>

/** What a pool gives, and a PGlite. */
export type PostgresStore<Tx> = PostgresRecordStore & Required<Pick<IdempotencyStore<Tx>, 'bind' | 'transaction'>>

/** Races of 64 clients are over after a few; this many say that something else is wrong. */
const MAX_TRIES = 30
const MAX_VALUE_BYTES = 16 * 1024 * 1024
const LIST_BATCH = 500

/**
 * Keeps records in a table of PostgreSQL: each operation is one statement, one round trip, by the server's clock.
 * Opens no connection of its own, and makes no table.
 *
 * @throws IdempotencyInvalidOptionError when `table` cannot be the name of one
 */
export function postgresStore<Tx extends PostgresQueryable>(
  options: PostgresStoreOptions<Tx> & { readonly pool: PostgresPool<Tx> | PostgresEmbedded<Tx> },
): PostgresStore<Tx>
export function postgresStore(options: PostgresStoreOptions<PostgresQueryable>): PostgresRecordStore
export function postgresStore<Tx extends PostgresQueryable>(options: PostgresStoreOptions<Tx>): PostgresRecordStore {
  const { pool, prepare = true, watch, now } = options
  const names = tableNames(options.table)
  const lockTimeoutMs = Math.ceil(toMs('lockTimeoutMs', options.lockTimeoutMs ?? 5_000))
  const sql = statements(names, watch !== undefined)
  const clock = () => (now ? Math.round(now() * 1000) : null)

  /** Sends again what lost a race against another transaction: it changed nothing. */
  async function run<T>(db: PostgresQueryable, statement: Statement, values: unknown[]): Promise<T[]> {
    const bound = db !== pool
    let cause: unknown
    requireRoom(values)
    if (bound) requireTransaction(db)
    for (let tries = 1; tries <= MAX_TRIES; tries++) {
      try {
        const replies = await ask<T>(db, statement, values, prepare)
        const first = replies[0] as Partial<Reply> | undefined
        if (bound && first?.isolation !== 'read committed') throw new UnsupportedIsolationError(SNAPSHOT)
        if (first?.outcome !== null) return replies
      } catch (error) {
        if (bound && isStale(error)) throw new UnsupportedIsolationError(SNAPSHOT, { cause: error })
        if (bound || !isConflict(error)) throw toStoreError(error, names.table)
        cause = error
      }
      await sleep(Math.random() * Math.min(2 ** tries, 50))
    }
    throw new StoreUnavailableError(`Other transactions came between ${MAX_TRIES} times.`, { applied: 'no', cause })
  }

  function operations(db: PostgresQueryable) {
    async function decide(statement: Statement, key: string, ...values: unknown[]): Promise<Reply> {
      const [reply] = await run<Reply>(db, statement, [key, clock(), ...values])
      return reply as Reply
    }

    function send(key: string, token: number, change: Change): Promise<Reply> {
      switch (change.to) {
        case 'renew': {
          const { leaseMs, retentionMs = 0, checkpoint } = change
          const times = [toUs(leaseMs), toUs(retentionMs)]
          if (!checkpoint) return decide(sql.renew, key, token, ...times)
          return decide(sql.checkpoint, key, token, ...times, checkpoint.seq, checkpoint.data)
        }
        case 'completed':
        case 'failed':
          return decide(sql.settle, key, token, change.to, toUs(change.retentionMs), change.result)
        case 'released': {
          const { delayMs, retentionMs, unresolved = false } = change
          return decide(sql.release, key, token, toUs(delayMs), toUs(retentionMs), unresolved)
        }
        case 'parked':
          return decide(sql.park, key, token, toUs(change.retentionMs))
        case 'forgotten':
          return decide(sql.forget, key, token, toUs(change.tombstoneMs))
      }
    }

    return {
      async begin(key: string, claim: Claim): Promise<BeginReply> {
        const { owner, fingerprint, leaseMs, retentionMs, request } = claim
        const values = [owner, fingerprint, toUs(leaseMs), toUs(retentionMs), request ?? null]
        const reply = await decide(sql.begin, key, ...values)
        return { outcome: reply.outcome as BeginReply['outcome'], ...toView(reply) }
      },
      async transition(key: string, token: number, change: Change): Promise<TransitionReply> {
        const reply = await send(key, token, change)
        if (reply.verdict === 'apply' || reply.verdict === 'same') return { outcome: 'ok', applied: reply.applied }
        return { outcome: 'lost', current: toLiveView(reply) }
      },
      async get(key: string): Promise<RecordView | null> {
        return toLiveView(await decide(sql.get, key))
      },
    }
  }

  async function* list({ namespace, operation, state, stuckForMs, expired = false, limit = Infinity }: ListQuery) {
    // '/' comes after '.', and the other character after all
    let [after, end] = namespace === undefined ? ['', '\u{10ffff}'] : [`${namespace}.`, `${namespace}/`]
    const filter = [end, operation, state, stuckForMs === undefined ? null : toUs(stuckForMs), expired]
    for (let left = limit; left > 0; left -= LIST_BATCH) {
      const values = [after, clock(), ...filter, Math.min(left, LIST_BATCH)]
      const rows = await run<ListedRecord>(pool, sql.list, values)
      yield* rows
      if (rows.length < LIST_BATCH) return
      after = rows.at(-1)?.key ?? end
    }
  }

  const embedded = isEmbedded(pool)
  const transactional: Pick<IdempotencyStore<Tx>, 'bind' | 'transaction'> = embedded || isPool(pool)
    ? { bind: operations, transaction: (work) => inTransaction(pool, names.table, lockTimeoutMs, work) }
    : {}
  return {
    capabilities: {
      clock: embedded ? 'host' : 'store',
      durable: !embedded,
      shared: embedded ? 'process' : 'network',
      transactional: transactional.bind ? 'async' : false,
      maxValueBytes: MAX_VALUE_BYTES,
    },
    ...operations(pool),
    ...transactional,
    ...(watch && { watch: createWatch(watch, names.table) }),
    list,
    async purge({ limit, graceMs = 60_000 }) {
      const [purged = 0] = await run<number>(pool, sql.purge, [limit, clock(), toUs(graceMs)])
      return purged
    },
  }
}

const SNAPSHOT = 'This transaction reads a snapshot, in which a record may be out of date: open it with READ COMMITTED.'

const toUs = (ms: number): number => Math.round(ms * 1000)

function requireRoom(values: readonly unknown[]): void {
  for (const value of values) {
    if (!(value instanceof Uint8Array) || value.length <= MAX_VALUE_BYTES) continue
    const room = `there is room for ${MAX_VALUE_BYTES}: store a reference`
    throw new StoreMisconfiguredError(`A value has ${value.length} bytes, and ${room}.`)
  }
}
