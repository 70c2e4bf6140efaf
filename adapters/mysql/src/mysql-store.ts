import { turnsOf, withoutRelease } from '@retryproof/core/internal'
import {
  assertKnownOptions,
  type Duration,
  IdempotencyInvalidOptionError,
  type IdempotencyStore,
  isIdempotencyError,
  keyRange,
  type ListQuery,
  listRecords,
  PURGE_GRACE_MS,
  readPages,
  toMs,
  toUs,
} from '@retryproof/core/store'
import { batched } from './batches.ts'
import { directPool } from './direct.ts'
import { boundSession, connect, ownSession, requireTransaction, type Session } from './driver.ts'
import { isRefused } from './errors.ts'
import { type Operations, operations } from './operations.ts'
import {
  type MysqlConnection,
  type MysqlPool,
  type MysqlPoolConnection,
  promisedPool,
  settingsOf,
  type WithPromise,
} from './pool.ts'
import { toCount, toRecord } from './record.ts'
import { createMeetings } from './returning.ts'
import { parseTable, qualify, quoted, verify } from './schema.ts'
import { type Statements, statements } from './statements.ts'
import { inTransaction } from './transaction.ts'

/** The options of `mysqlStore`. */
export interface MysqlStoreOptions<Connection extends MysqlPoolConnection> {
  /** A pool of mysql2, of its promise or its callback API. It stays yours: end it after the last call. */
  readonly pool: MysqlPool<Connection> | WithPromise<MysqlPool<Connection>>
  /** The table, perhaps with its database. Make it with `migrate`. @default 'retryproof' */
  readonly table?: string
  /** Bounds the wait for a connection of the pool, and for an answer on it; after it the connection is closed. @default '10s' */
  readonly timeout?: Duration
  /**
   * Bounds the wait of a statement in `transaction` for other transactions. The server counts whole seconds: it is rounded up.
   * @default '5s'
   */
  readonly lockTimeout?: Duration
  /** The largest value, in bytes. The server's max_allowed_packet must be twice that, and 8 KiB. @default 4 MiB */
  readonly maxValueBytes?: number
  /**
   * Lets calls that arrive while others are in flight share statements and a commit. Off where `maxValueBytes` is below 512 KiB:
   * the server may take no packets of that size.
   * @default true
   */
  readonly batch?: boolean
  /**
   * Keeps the statements of single calls prepared on connections that stay. `false` behind a proxy that then gives each of them
   * a connection of the server for good, as RDS Proxy does.
   * @default true
   */
  readonly prepare?: boolean
  /** Replaces the server's clock (ms). For tests only. */
  readonly now?: (() => number) | undefined
}

/** @see mysqlStore */
export interface MysqlStore<Connection> extends Required<Omit<IdempotencyStore<Connection>, 'watch' | 'bind'>> {
  /** The three operations in a transaction that the caller has begun, on any connection of mysql2. */
  bind(tx: MysqlConnection | WithPromise<MysqlConnection>): Operations
  bind(tx: Connection): Operations
}

const BATCH = 500
/** A batch has 256 KiB at most, and twice that as text. */
const MIN_BATCHED_VALUE_BYTES = 512 * 1024

const knownOptions = {
  pool: true,
  table: true,
  timeout: true,
  lockTimeout: true,
  batch: true,
  prepare: true,
  maxValueBytes: true,
  now: true,
} as const

/**
 * Keeps records in a table of MySQL or MariaDB, by the server's clock. It opens no connection and makes no table.
 *
 * @example
 * import { createIdempotency } from '@retryproof/core'
 * import { migrate, mysqlStore } from '@retryproof/mysql'
 * import mysql from 'mysql2/promise'
 *
 * const pool = mysql.createPool(process.env.DATABASE_URL ?? 'mysql://app@localhost/app')
 * await migrate({ pool })
 * const idempotency = createIdempotency({ store: mysqlStore({ pool }), namespace: 'payments' })
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option cannot be used
 */
export function mysqlStore<Connection extends MysqlPoolConnection>(
  options: MysqlStoreOptions<Connection>,
): MysqlStore<Connection> {
  assertKnownOptions(options, knownOptions)
  const { now, batch = true, prepare: prepares = true, maxValueBytes = 4 * 2 ** 20 } = options
  const table = parseTable(options.table)
  const timeoutMs = toMs('timeout', options.timeout ?? '10s', { min: 1 })
  const lockTimeoutMs = toMs('lockTimeout', options.lockTimeout ?? '5s', { min: 1 })
  requirePositive('maxValueBytes', maxValueBytes)
  const pool = promisedPool(options.pool)
  // a clock of the caller's stands in the text of a statement
  const direct = directPool(pool, prepares && !now)
  const { core, connections, database } = settingsOf(pool)
  const inTurn = turnsOf(core, connections)
  const clockMs = now ?? (() => performance.now())
  const terms = { maxValueBytes, clockMs, meetings: createMeetings() }
  let prepared: Promise<Statements> | undefined

  /** Looks at the server and the table once, through the session that comes first, and fixes which table that is. */
  function prepare(session: Session): Promise<Statements> {
    prepared ??= qualify(session, table, database)
      .then(async (found) => {
        const { returns } = await verify(session, found, maxValueBytes)
        return statements(quoted(found), now && (() => toUs(now())), returns)
      })
      .catch((error) => {
        prepared = undefined
        throw error
      })
    return prepared
  }

  /** Runs `use` on a connection of the pool, or of one that lends the same. */
  async function on<Lent extends MysqlPoolConnection, T>(
    lender: MysqlPool<Lent>,
    use: (session: Session, statement: Statements, connection: Lent) => Promise<T>,
    isRefused?: (error: unknown) => boolean,
  ): Promise<T> {
    const connection = await connect(lender, timeoutMs)
    try {
      const session = ownSession(connection, timeoutMs, isRefused)
      return await use(session, await prepare(session), connection)
    } catch (error) {
      // a server that only reads is not the one that the next call should find
      if (isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE')) connection.destroy()
      throw error
    } finally {
      connection.release()
    }
  }

  const onConnection = <T>(
    use: (session: Session, statement: Statements) => Promise<T>,
    isRefused?: (error: unknown) => boolean,
  ): Promise<T> => on(direct, use, isRefused)

  const operate = <T>(use: (operations: Operations) => Promise<T>): Promise<T> =>
    onConnection(async (session, statement) => use(operations(session, statement, terms)))

  const single: Operations = {
    begin: (key, claim) => operate(({ begin }) => begin(key, claim)),
    transition: (key, token, change) => operate(({ transition }) => transition(key, token, change)),
    get: (key) => operate(({ get }) => get(key)),
  }
  const together = batch && maxValueBytes >= MIN_BATCHED_VALUE_BYTES
  const own = together ? batched(single, (work) => onConnection(work, isRefused), timeoutMs, terms) : single

  const recordsOf = (query: ListQuery) =>
    readPages(async (range, limit) => {
      const page = await onConnection(({ read }, statement) => read(statement.page(range, query, limit)))
      return page.map((row) => ({ key: String(row.k), record: toRecord(row), now: Number(row.started) }))
    }, keyRange(query))

  return {
    capabilities: {
      clock: 'store',
      durable: true,
      shared: 'network',
      transactional: 'async',
      maxValueBytes,
    },
    ...own,

    purge: ({ limit, graceMs = PURGE_GRACE_MS }) =>
      onConnection(async ({ read, write }, statement) => {
        let removed = 0
        for (let left = limit; left > 0; left -= BATCH) {
          const old = statement.purgeable(graceMs)
          const batch = Math.min(left, BATCH)
          const keys = (await read(statement.purgeableKeys(old, batch))).map(({ k }) => String(k))
          if (keys.length > 0) removed += Number((await write(statement.remove(keys, old))).affectedRows)
          if (keys.length < batch) break
        }
        return removed
      }),

    list: (query) => listRecords(query, recordsOf(query)),

    count: (query) =>
      onConnection(async ({ read }, statement) => {
        const [row] = await read(statement.now())
        return (await read(statement.count(keyRange(query), Number(row?.now)))).map(toCount)
      }),

    bind(tx) {
      const session = boundSession(tx)
      const bound = async () => operations(session, await prepare(session), terms)
      const writing = async () => {
        const operations = await bound()
        await requireTransaction(session)
        return operations
      }
      return {
        begin: async (key, claim) => (await writing()).begin(key, claim),
        transition: async (key, token, change) => (await writing()).transition(key, token, change),
        get: async (key) => (await bound()).get(key),
      }
    },

    transaction: (work) =>
      inTurn(() =>
        on(pool, (_session, _statement, connection) =>
          withoutRelease(connection, () =>
            inTransaction(connection, { timeoutMs, lockTimeoutMs }, () => work(connection)),
          ),
        ),
      ),
  }
}

function requirePositive(option: string, value: number): void {
  if (Number.isInteger(value) && value > 0 && value < 2 ** 31) return
  throw new IdempotencyInvalidOptionError(option, `must be a whole number above 0 and below 2^31, got ${String(value)}`)
}
