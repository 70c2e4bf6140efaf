import {
  assertValueFits,
  type BeginReply,
  IdempotencyInvalidOptionError,
  type IdempotencyStore,
  type ListedRecord,
  type ListQuery,
  reduce,
  type StoredRecord,
  StoreUnavailableError,
  toListedRecord,
} from '@retryproof/core/store'
import {
  backOff,
  boundSession,
  connect,
  MAX_TRIES,
  type MysqlConnection,
  type MysqlPool,
  type MysqlPoolConnection,
  ownSession,
  promised,
  requireTransaction,
  type Session,
  type WithPromise,
} from './driver.ts'
import { requireShort, toRecord } from './record.ts'
import { tableName, verify } from './schema.ts'
import { APPLIED, type Sql, statements } from './statements.ts'
import { inTransaction } from './transaction.ts'

export interface MysqlStoreOptions<Connection extends MysqlPoolConnection> {
  /** A pool of mysql2, of its promise or its callback API. It stays yours: end it after the last call. */
  readonly pool: MysqlPool<Connection> | WithPromise<MysqlPool<Connection>>
  /** The table, perhaps with its database. Make it with `migrate`. @default 'retryproof' */
  readonly table?: string
  /** How long a connection or an answer is waited for, in milliseconds; then the connection is closed. @default 10_000 */
  readonly timeoutMs?: number
  /**
   * How long a statement in `transaction` waits for other transactions, in milliseconds. The server counts whole seconds:
   * it is rounded up. @default 5_000
   */
  readonly lockTimeoutMs?: number
  /** The largest value, in bytes. The server's max_allowed_packet must be twice that, and 8 KiB. @default 4 MiB */
  readonly maxValueBytes?: number
  /** Replaces the server's clock (ms). For tests only. */
  readonly now?: (() => number) | undefined
}

type Operations = Pick<IdempotencyStore, 'begin' | 'transition' | 'get'>

/** @see mysqlStore */
export interface MysqlStore<Connection> extends Required<Omit<IdempotencyStore<Connection>, 'watch' | 'bind'>> {
  /** The three operations in a transaction that the caller has begun, on any connection of mysql2. */
  bind(tx: MysqlConnection | WithPromise<MysqlConnection>): Operations
  bind(tx: Connection): Operations
}

const DEFAULT_GRACE_MS = 60_000
const BATCH = 500

/**
 * Keeps records in a table of MySQL or MariaDB, by the server's clock. It opens no connection and makes no table.
 *
 * @throws IdempotencyInvalidOptionError
 */
export function mysqlStore<Connection extends MysqlPoolConnection>(
  options: MysqlStoreOptions<Connection>,
): MysqlStore<Connection> {
  const { table, now, timeoutMs = 10_000, lockTimeoutMs = 5_000, maxValueBytes = 4 * 2 ** 20 } = options
  requirePositive('timeoutMs', timeoutMs)
  requirePositive('lockTimeoutMs', lockTimeoutMs)
  requirePositive('maxValueBytes', maxValueBytes)
  const pool = promised(options.pool)
  const statement = statements(tableName(table), now && (() => Math.round(now() * 1000)))
  const clockMs = now ?? (() => performance.now())
  let verified: Promise<void> | undefined

  /** Looks at the server and the table once, through whatever session comes first. */
  function verifyOnce(session: Session): Promise<void> {
    verified ??= verify(session, table, maxValueBytes).catch((error) => {
      verified = undefined
      throw error
    })
    return verified
  }

  function operations({ read, write, lock }: Session): Operations {
    /** What stands under the key, and since when. Undefined: it expired while it was read, and only a later look can say when. */
    async function find(key: string, values?: { work: Sql; result: Sql }): Promise<Found | undefined> {
      const [row] = await read(statement.read(key, lock, values))
      if (!row) return { record: null, at: 0 }
      const found = { record: toRecord(row), at: Number(row.held) }
      const { expiresAt } = found.record
      return expiresAt > Number(row.started) && expiresAt <= found.at ? undefined : found
    }

    return {
      async begin(key, claim) {
        requireShort(key, claim.owner, claim.fingerprint)
        assertValueFits(maxValueBytes, claim)
        return untilAnswered(async () => {
          let sentMs = clockMs()
          const acquired = (reply: BeginReply, token: number): BeginReply => ({
            ...reply,
            token,
            // the lease counts from somewhere between sending and answer
            leaseRemainingMs: Math.max(0, Math.ceil(claim.leaseMs - (clockMs() - sentMs))),
          })
          const token = Number((await write(statement.insert(key, claim))).insertId)
          if (token > 0) return acquired(reduce(null, { op: 'begin', claim }, token).reply, token)
          const found = await find(key, statement.valuesForBegin(claim))
          if (!found?.record) return undefined
          const { record, reply } = reduce(found.record, { op: 'begin', claim }, found.at)
          if (record === null || record === found.record) return reply
          sentMs = clockMs()
          const next = Number((await write(statement.take(key, found.record, record, claim))).insertId)
          return next > 0 ? acquired(reply, next) : undefined
        })
      },

      async transition(key, token, change) {
        requireShort(key)
        assertValueFits(maxValueBytes, change)
        return untilAnswered(async () => {
          const met = Number((await write(statement.transition(key, token, change))).insertId)
          if (met > 0) return { outcome: 'ok', applied: met === APPLIED }
          const found = await find(key)
          if (!found) return undefined
          const { record, reply } = reduce(found.record, { op: 'transition', token, change }, found.at)
          return record === found.record ? reply : undefined
        })
      },

      get: (key) =>
        untilAnswered(async () => {
          const found = await find(key)
          return found && reduce(found.record, { op: 'get' }, found.at).reply
        }),
    }
  }

  async function onConnection<T>(use: (session: Session, connection: Connection) => Promise<T>): Promise<T> {
    const connection = await connect(pool, timeoutMs)
    try {
      const session = ownSession(connection, timeoutMs)
      await verifyOnce(session)
      return await use(session, connection)
    } finally {
      connection.release()
    }
  }

  async function* list({ limit = Number.POSITIVE_INFINITY, ...query }: ListQuery): AsyncGenerator<ListedRecord> {
    let count = 0
    let after = ''
    for (;;) {
      const page = await onConnection(({ read }) => read(statement.page(after, query, BATCH)))
      for (const row of page) {
        if (count >= limit) return
        const found = toListedRecord(String(row.k), toRecord(row), query, Number(row.started))
        if (!found) continue
        count++
        yield found
      }
      if (page.length < BATCH) return
      after = String(page.at(-1)?.k)
    }
  }

  return {
    capabilities: {
      clock: 'store',
      durable: true,
      shared: 'network',
      transactional: 'async',
      maxValueBytes,
    },
    begin: (key, claim) => onConnection((session) => operations(session).begin(key, claim)),
    transition: (key, token, change) => onConnection((session) => operations(session).transition(key, token, change)),
    get: (key) => onConnection((session) => operations(session).get(key)),

    purge: ({ limit, graceMs = DEFAULT_GRACE_MS }) =>
      onConnection(async ({ read, write }) => {
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

    list,

    bind(tx) {
      const session = boundSession(promised(tx))
      const bound = operations(session)
      const ready = async () => {
        await verifyOnce(session)
        await requireTransaction(session)
      }
      return {
        begin: (key, claim) => ready().then(() => bound.begin(key, claim)),
        transition: (key, token, change) => ready().then(() => bound.transition(key, token, change)),
        get: (key) => verifyOnce(session).then(() => bound.get(key)),
      }
    },

    transaction: (work) =>
      onConnection((_, connection) => inTransaction(connection, { timeoutMs, lockTimeoutMs }, () => work(connection))),
  }
}

interface Found {
  readonly record: StoredRecord | null
  /** When it stood so, in µs of the store's clock. */
  readonly at: number
}

/** Asks again as long as another writer came between. */
async function untilAnswered<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    const answer = await attempt()
    if (answer !== undefined) return answer
    await backOff(tries)
  }
  throw new StoreUnavailableError(`Other writers of the key came first in ${MAX_TRIES} tries. Try again.`, {
    applied: 'no',
  })
}

function requirePositive(option: string, value: number): void {
  if (Number.isInteger(value) && value > 0 && value < 2 ** 31) return
  throw new IdempotencyInvalidOptionError(option, `must be a whole number above 0 and below 2^31, got ${String(value)}`)
}
