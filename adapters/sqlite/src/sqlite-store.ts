import { after, answerOf, createLanes } from '@retryproof/core/internal'
import {
  answered,
  assertKnownOptions,
  assertValueFits,
  type BeginReply,
  type BoundStore,
  type Change,
  type Claim,
  type Duration,
  IdempotencyInvalidOptionError,
  type IdempotencyStore,
  keyRange,
  type ListQuery,
  listRecords,
  PURGE_GRACE_MS,
  type Reduced,
  readPages,
  reduce,
  type StoredRecord,
  type TransitionReply,
  toMs,
  toUs,
} from '@retryproof/core/store'
import { isInTransaction, requireDriver, type SqliteDatabase } from './driver.ts'
import { isRefused } from './errors.ts'
import { type CountRow, toCount, toRecord } from './record.ts'
import { isFile, quoted } from './schema.ts'
import { beginLocked, prepareStatements, readRecord, type Statements, writeRecord } from './statements.ts'
import { beginImmediate, exclusively, impatiently, inTransaction, whenFree } from './transaction.ts'

export interface SqliteStoreOptions<Database extends SqliteDatabase> {
  /** An open connection of better-sqlite3, node:sqlite or bun:sqlite. It stays yours: close it after the last call. */
  readonly database: Database
  /** The table of the records: letters, digits and `_`. @default 'retryproof' */
  readonly table?: string
  /** Bounds the wait of a call for other processes. @default '5s' */
  readonly lockTimeout?: Duration
  /** Lets calls that arrive in the same turn of the event loop share a commit, from the second on. @default true */
  readonly batch?: boolean
  /** For tests: replaces the clock of the machine, in milliseconds. */
  readonly now?: (() => number) | undefined
}

/** A store with everything but `watch`. */
export type SqliteStore<Database> = IdempotencyStore<Database> &
  Required<Pick<IdempotencyStore<Database>, 'purge' | 'list' | 'count' | 'bind' | 'transaction'>>

type Decide<Reply> = (record: StoredRecord | null, at: number) => Reduced<Reply>

/** A call that writes, and the bytes that it brings. */
interface Decision {
  readonly key: string
  readonly decide: Decide<unknown>
  readonly bytes: number
}

/** Bounds the wait for calls of the same process, beside their wait for others. */
const LANE_MS = 1_000

/** Tells whether a reply says that an attempt is under way, or is to come. */
function isUnderWay(reply: unknown): boolean {
  const { outcome, state } = (reply ?? {}) as Partial<BeginReply>
  return outcome === 'in_progress' || state === 'in_progress'
}

/** Fake timers of tests replace the global ones. */
const nextTurn = setImmediate
const { nextTick } = process

/** Resolves in the next turn of the event loop. */
const turn = (): Promise<void> => new Promise((resolve) => nextTurn(resolve))

const MAX_VALUE_BYTES = 16 * 1024 * 1024

/**
 * Keeps records in a table of a SQLite file, for every process on this machine that opens it. `migrate` creates the table.
 *
 * @example
 * import { createIdempotency } from '@retryproof/core'
 * import { migrate, sqliteStore } from '@retryproof/sqlite'
 * import Database from 'better-sqlite3'
 *
 * const database = new Database('payments.db')
 * await migrate({ database })
 * const idempotency = createIdempotency({ store: sqliteStore({ database }), namespace: 'payments' })
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option cannot be used
 */
export function sqliteStore<Database extends SqliteDatabase>(
  options: SqliteStoreOptions<Database>,
): SqliteStore<Database> {
  assertKnownOptions(options, { database: true, table: true, lockTimeout: true, batch: true, now: true })
  const { database, table = 'retryproof', batch = true, now = Date.now } = options
  requireDriver(database)
  quoted(table)
  const lockTimeoutMs = toMs('lockTimeout', options.lockTimeout ?? '5s')
  const prepared = new WeakMap<SqliteDatabase, Statements>()
  const clock = () => toUs(now())
  // a first call inside a transaction then finds the connection ready; every call tells what is wrong with it
  whenFree(database, 0, ownStatements).catch(() => undefined)

  function statementsOf(connection: SqliteDatabase): Statements {
    const sql = prepared.get(connection) ?? prepareStatements(connection, table)
    prepared.set(connection, sql)
    return sql
  }

  /** The first read waits for a connection that holds the whole file. From then on this one shares it, and no read waits. */
  function ownStatements(): Statements {
    return prepared.get(database) ?? impatiently(database, () => statementsOf(database))
  }

  function use<T>(work: (sql: Statements) => T): Promise<T> {
    return whenFree(database, lockTimeoutMs, () => work(ownStatements()))
  }

  /** Inside a transaction that holds the write lock. */
  function applyHeld<Reply>(sql: Statements, key: string, decide: Decide<Reply>): Reply {
    const previous = readRecord(sql, key)
    const { record, reply } = decide(previous, clock())
    if (record && record !== previous) writeRecord(sql, key, record)
    return reply
  }

  /** Asks once without waiting. Each later try waits a little, as those of other processes do: else they would pass it by. */
  function beginOwn(isRepeated: boolean): void {
    const sql = ownStatements()
    if (isRepeated) beginImmediate(database)
    else beginLocked(database, sql)
  }

  const locked = <T>(work: (sql: Statements) => T): Promise<T> =>
    whenFree(database, lockTimeoutMs, (isRepeated) =>
      exclusively(
        database,
        () => beginOwn(isRepeated),
        () => work(ownStatements()),
      ),
    )
  const one = ({ key, decide }: Decision): Promise<unknown> => locked((sql) => applyHeld(sql, key, decide))

  /** Answers are there before anybody else can call: the lane rests until the next turn of the event loop. */
  const lane = () =>
    createLanes<Decision, unknown>({
      one,
      many: (calls) => locked((sql) => calls.map(({ key, decide }) => applyHeld(sql, key, decide))),
      isRefused,
      sizeOf: ({ bytes }) => bytes,
      timeoutMs: lockTimeoutMs + LANE_MS,
      lanes: 1,
      rest: { turn, afterMicrotasks: nextTick },
    })
  const [sendBegin, sendTransition] = batch ? [lane(), lane()] : [one, one]

  /** Answers from what is there, which waits for no writer; else decides under the lock. */
  function apply<Reply>(key: string, decide: Decide<Reply>, send: () => Promise<unknown>): Promise<Reply> {
    const look = use((sql) => {
      const previous = readRecord(sql, key)
      const at = clock()
      const { record, reply } = decide(previous, at)
      // a record that seems to have expired may have been renewed between the read and the clock: only the lock makes sure
      const isSure = record === previous && (previous === null || previous.expiresAt > at)
      return isSure ? { reply } : null
    })
    return Promise.resolve(
      after(answerOf(look), (seen) => {
        if (!seen) return send() as Promise<Reply>
        // a loop that asks until an attempt has ended would else keep that attempt's calls from their turn
        if (batch && isUnderWay(seen.reply)) return turn().then(() => seen.reply)
        return answered(() => seen.reply)
      }),
    )
  }

  function bind(tx: Database): BoundStore {
    const sql = statementsOf(tx)
    const applyBound = <Reply>(key: string, decide: Decide<Reply>): Reply => {
      if (!isInTransaction(tx))
        throw new IdempotencyInvalidOptionError('tx', 'no transaction is open on this connection')
      sql.lock.run()
      return applyHeld(sql, key, decide)
    }
    return {
      begin: (key, claim) => applyBound(key, begin(claim)),
      transition: (key, token, change) => applyBound(key, transition(token, change)),
      get: (key) => applyBound(key, get),
    }
  }

  const records = (query: ListQuery) =>
    readPages(async ({ after, end }, limit) => {
      const { state, stuckForMs, expired } = query
      const now = clock()
      const due = stuckForMs === undefined ? null : now - stuckForMs * 1000
      const filter = [expired ? 0 : now, state ?? null, state ?? null, due, due]
      const isSparse = due !== null || (state !== undefined && state !== 'completed')
      const rows = await use(
        (sql) => (isSparse ? sql.search : sql.page).all(after, end, ...filter, limit) as { k: string }[],
      )
      return rows.map((row) => ({ key: row.k, record: toRecord(row), now }))
    }, keyRange(query))

  return {
    capabilities: {
      clock: 'host',
      ...(isFile(database) ? { durable: true, shared: 'host' } : { durable: false, shared: 'process' }),
      transactional: 'sync',
      maxValueBytes: MAX_VALUE_BYTES,
    },
    begin: (key, claim) =>
      checked(() => {
        const decide = begin(claim)
        return apply(key, decide, () => sendBegin({ key, decide, bytes: claim.request?.length ?? 0 }))
      }),
    // nearly all of them write, so that a read before the lock would be one more
    transition: (key, token, change) =>
      checked(() => {
        const decide = transition(token, change)
        return sendTransition({ key, decide, bytes: sizeOf(change) }) as Promise<TransitionReply>
      }),
    get: (key) => apply(key, get, () => one({ key, decide: get, bytes: 0 })),
    async purge({ limit, graceMs = PURGE_GRACE_MS }) {
      const purged = await locked((sql) => Number(sql.purge.run(clock() - graceMs * 1000, clock(), limit).changes))
      // a loop of purges would else let nothing else of this process come to its turn
      await turn()
      return purged
    },
    list: (query) => listRecords(query, records(query)),
    count: ({ namespace }) =>
      use((sql) => {
        const { after, end } = keyRange({ ...(namespace !== undefined && { namespace }) })
        const now = clock()
        return (sql.count.all(now, now, after, end) as CountRow[]).map(toCount)
      }),
    bind,
    transaction: (work) => inTransaction(database, lockTimeoutMs, beginOwn, work),
  }
}

/** Starts a call, whose promise rejects with what is wrong with its values. */
function checked<T>(start: () => Promise<T>): Promise<T> {
  try {
    return start()
  } catch (error) {
    return Promise.reject(error)
  }
}

function begin(claim: Claim) {
  assertValueFits(MAX_VALUE_BYTES, claim)
  return (record: StoredRecord | null, at: number) => reduce(record, { op: 'begin', claim }, at)
}

function transition(token: number, change: Change) {
  assertValueFits(MAX_VALUE_BYTES, change)
  return (record: StoredRecord | null, at: number) => reduce(record, { op: 'transition', token, change }, at)
}

function sizeOf(change: Change): number {
  if ('result' in change) return change.result.length
  return (change.to === 'renew' && change.checkpoint?.data.length) || 0
}

const get = (record: StoredRecord | null, at: number) => reduce(record, { op: 'get' }, at)
