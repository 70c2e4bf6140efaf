import { backOff, sleep } from '@retryproof/core/internal'
import {
  assertKnownOptions,
  assertValueFits,
  type BeginReply,
  type Change,
  type Claim,
  type Duration,
  type IdempotencyStore,
  keyRange,
  type ListedRecord,
  type ListQuery,
  PURGE_GRACE_MS,
  type RecordCount,
  type RecordStore,
  type RecordView,
  StoreUnavailableError,
  type TransitionReply,
  toMs,
  toUs,
  UnsupportedIsolationError,
} from '@retryproof/core/store'
import { type BatchedName, createBatches, type Parameters, type Sender } from './batches.ts'
import {
  ask,
  isEmbedded,
  isPool,
  type PostgresDatabase,
  type PostgresEmbedded,
  type PostgresPool,
  type PostgresPoolClient,
  type PostgresQueryable,
  requireDriver,
  requireTransaction,
  type Statement,
  sender,
} from './driver.ts'
import { isConflict, isRefused, isStale, toStoreError } from './errors.ts'
import { type Reply, toBeginReply, toLiveView } from './record.ts'
import { qualify, tableNames } from './schema.ts'
import { type Statements, statements } from './statements.ts'
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
   * Wakes those who wait for a record by NOTIFY, on a client taken from this pool for as long as somebody waits. It may be
   * `pool`, unless that goes through a pooler. Every process that shares the table needs it. Without it waiters poll.
   */
  readonly watch?: PostgresPool<PostgresPoolClient>
  /** Bounds the wait for a connection of the pool, and for an answer on it; after it the connection is closed. @default '10s' */
  readonly timeout?: Duration
  /** Bounds the wait of a statement in `transaction` for other transactions. @default '5s' */
  readonly lockTimeout?: Duration
  /** Lets calls that arrive while others are in flight share a statement and a commit, on a pool or a PGlite. @default true */
  readonly batch?: boolean
  /** Replaces the server's clock (ms). For tests only. */
  readonly now?: (() => number) | undefined
}

/** The store on a single client. It has no transactions: one would swallow every other call. */
export type PostgresRecordStore = RecordStore & Required<Pick<RecordStore, 'purge' | 'list' | 'count'>>

/** The store on a pool, or on a PGlite. */
export type PostgresStore<Tx> = PostgresRecordStore & Required<Pick<IdempotencyStore<Tx>, 'bind' | 'transaction'>>

/** Runs `work` on a connection: one of the pool, or that of the caller's transaction. */
type Use = <T>(work: (db: PostgresQueryable) => Promise<T>) => Promise<T>

/** Races of 64 clients are over after a few; this many say that something else is wrong. */
const MAX_TRIES = 30
const CONFLICT_PAUSES = { firstMs: 1, maxMs: 50 }
const MAX_VALUE_BYTES = 16 * 1024 * 1024
const LIST_BATCH = 500

const own = { pool: true, table: true, prepare: true, watch: true, batch: true } as const
const knownOptions = { ...own, timeout: true, lockTimeout: true, now: true } as const

/**
 * Keeps records in a table of PostgreSQL: each operation is one statement, one round trip, by the server's clock.
 * Opens no connection of its own, and makes no table.
 *
 * @example
 * import { createIdempotency } from '@retryproof/core'
 * import { migrate, postgresStore } from '@retryproof/postgres'
 * import pg from 'pg'
 *
 * const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL })
 * await migrate({ pool })
 * const idempotency = createIdempotency({ store: postgresStore({ pool }), namespace: 'payments' })
 *
 * @throws {@link IdempotencyInvalidOptionError} when `table` cannot be the name of one, or `pool` is none
 */
export function postgresStore<Tx extends PostgresQueryable>(
  options: PostgresStoreOptions<Tx> & { readonly pool: PostgresPool<Tx> | PostgresEmbedded<Tx> },
): PostgresStore<Tx>
export function postgresStore(options: PostgresStoreOptions<PostgresQueryable>): PostgresRecordStore
export function postgresStore<Tx extends PostgresQueryable>(options: PostgresStoreOptions<Tx>): PostgresRecordStore {
  assertKnownOptions(options, knownOptions)
  const { pool, prepare = true, batch = true, watch, now } = options
  requireDriver(pool)
  const names = tableNames(options.table)
  const timeoutMs = toMs('timeout', options.timeout ?? '10s', { min: 1 })
  const lockTimeoutMs = toMs('lockTimeout', options.lockTimeout ?? '5s')
  const clock = () => (now ? toUs(now()) : null)
  let qualified: Promise<Statements> | undefined

  /** The statements on the table that the first call found, whatever later sessions mean by its name. */
  function statementsOn(db: PostgresQueryable): Promise<Statements> {
    qualified ??= qualify(db, names)
      .then((found) => statements(found, watch !== undefined))
      .catch((error) => {
        qualified = undefined
        throw error
      })
    return qualified
  }

  const ofPool: Use = sender(pool, timeoutMs)

  /** Sends again what lost a race against another transaction: it changed nothing. */
  async function run<T>(use: Use, pick: (sql: Statements) => Statement, values: unknown[]): Promise<T[]> {
    const bound = use !== ofPool
    let cause: unknown
    for (let tries = 1; tries <= MAX_TRIES; tries++) {
      try {
        const replies = await use(async (db) => ask<T>(db, pick(await statementsOn(db)), values, prepare))
        const first = replies[0] as Partial<Reply> | undefined
        if (bound && first?.isolation !== 'read committed') throw new UnsupportedIsolationError(SNAPSHOT)
        if (first?.outcome !== null) return replies
      } catch (error) {
        if (bound && isStale(error)) throw new UnsupportedIsolationError(SNAPSHOT, { cause: error })
        if (bound || !isConflict(error)) throw toStoreError(error, names.table)
        cause = error
      }
      await sleep(backOff(tries, CONFLICT_PAUSES))
    }
    throw new StoreUnavailableError(`Other transactions came between ${MAX_TRIES} times.`, { applied: 'no', cause })
  }

  async function one(use: Use, name: BatchedName | 'get', parameters: Parameters): Promise<Reply> {
    const [reply] = await run<Reply>(use, (sql) => sql[name], [...parameters])
    return reply as Reply
  }

  const inLanes = createBatches({
    one: (name, parameters) => one(ofPool, name, parameters),
    many: (name, parameters) =>
      ofPool(async (db) =>
        ask<Reply & { i: number }>(db, (await statementsOn(db))[name].many, parameters, prepare),
      ).catch((error) => {
        throw isRefused(error) ? error : toStoreError(error, names.table)
      }),
    isRefused,
    timeoutMs,
  })

  function operations(use: Use, send: Sender['one'] = (name, parameters) => one(use, name, parameters)) {
    const decide = (name: BatchedName, key: string, ...values: unknown[]): Promise<Reply> =>
      send(name, [key, clock(), ...values])

    function decideChange(key: string, token: number, change: Change): Promise<Reply> {
      switch (change.to) {
        case 'renew': {
          const { leaseMs, retentionMs = 0, checkpoint } = change
          const times = [toUs(leaseMs), toUs(retentionMs)]
          if (!checkpoint) return decide('renew', key, token, ...times)
          return decide('checkpoint', key, token, ...times, checkpoint.seq, checkpoint.data)
        }
        case 'completed':
        case 'failed':
          return decide('settle', key, token, change.to, toUs(change.retentionMs), change.result)
        case 'released': {
          const { delayMs, retentionMs, unresolved = false, shorten = false } = change
          return decide('release', key, token, toUs(delayMs), toUs(retentionMs), unresolved, shorten)
        }
        case 'parked':
          return decide('park', key, token, toUs(change.retentionMs))
        case 'forgotten':
          return decide('forget', key, token, toUs(change.tombstoneMs))
      }
    }

    return {
      async begin(key: string, claim: Claim): Promise<BeginReply> {
        assertValueFits(MAX_VALUE_BYTES, claim)
        const { owner, fingerprint, leaseMs, retentionMs, request } = claim
        const values = [owner, fingerprint, toUs(leaseMs), toUs(retentionMs), request ?? null]
        return toBeginReply(await decide('begin', key, ...values))
      },
      async transition(key: string, token: number, change: Change): Promise<TransitionReply> {
        assertValueFits(MAX_VALUE_BYTES, change)
        const reply = await decideChange(key, token, change)
        if (reply.verdict === 'apply' || reply.verdict === 'same') return { outcome: 'ok', applied: reply.applied }
        return { outcome: 'lost', current: toLiveView(reply) }
      },
      async get(key: string): Promise<RecordView | null> {
        return toLiveView(await one(use, 'get', [key, clock()]))
      },
    }
  }

  async function* list(query: ListQuery) {
    const { namespace, operation, scope, state, stuckForMs, expired = false, limit = Infinity } = query
    const isSparse =
      state !== undefined || stuckForMs !== undefined || (operation !== undefined && namespace === undefined)
    let { after, end } = keyRange(query)
    const stuckFor = stuckForMs === undefined ? null : toUs(stuckForMs)
    // postgres.js refuses undefined
    const filter = [end, operation ?? null, state ?? null, stuckFor, expired, scope ?? null]
    for (let left = limit; left > 0; left -= LIST_BATCH) {
      const values = [after, clock(), ...filter, Math.min(left, LIST_BATCH)]
      const rows = await run<ListedRecord>(ofPool, (sql) => (isSparse ? sql.search : sql.list), values)
      yield* rows
      if (rows.length < LIST_BATCH) return
      after = rows.at(-1)?.key ?? end
    }
  }

  const embedded = isEmbedded(pool)
  // a single client may be in a transaction of its caller
  const hasSessions = embedded || isPool(pool)
  const transactional: Pick<IdempotencyStore<Tx>, 'bind' | 'transaction'> = hasSessions
    ? {
        bind: (tx) =>
          operations(async (work) => {
            requireTransaction(tx)
            return work(tx)
          }),
        transaction: (work) => inTransaction(pool, names.table, { timeoutMs, lockTimeoutMs }, work),
      }
    : {}
  return {
    capabilities: {
      clock: embedded ? 'host' : 'store',
      durable: !embedded,
      shared: embedded ? 'process' : 'network',
      transactional: transactional.bind ? 'async' : false,
      maxValueBytes: MAX_VALUE_BYTES,
    },
    ...operations(ofPool, batch && hasSessions ? inLanes : undefined),
    ...transactional,
    ...(watch && { watch: createWatch(watch, names.table) }),
    list,
    async count(query) {
      const { after, end } = keyRange(query)
      return run<RecordCount>(ofPool, (sql) => sql.count, [after, clock(), end])
    },
    async purge({ limit, graceMs = PURGE_GRACE_MS }) {
      const [purged = 0] = await run<number>(ofPool, (sql) => sql.purge, [limit, clock(), toUs(graceMs)])
      return purged
    },
  }
}

const SNAPSHOT = 'This transaction reads a snapshot, in which a record may be out of date: open it with READ COMMITTED.'
