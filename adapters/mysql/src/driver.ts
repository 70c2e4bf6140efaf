/** The driver as this store uses it, typed by use, and how a statement is sent: alone, or in a transaction of the caller. */
import { backOff, describeKind, sleep, within } from '@retryproof/core/internal'
import { IdempotencyInvalidOptionError, StoreMisconfiguredError, StoreUnavailableError } from '@retryproof/core/store'
import { isConflict, toCommitError, toStoreError, toTransactionError } from './errors.ts'
import { type Sql, sql } from './sql.ts'

/** A connection of mysql2/promise, or a transaction of a wrapper that takes the same. */
export interface MysqlConnection {
  query(options: { sql: string } & typeof pinned): Promise<readonly [unknown, ...unknown[]]>
}

/** A connection of a pool. */
export interface MysqlPoolConnection extends MysqlConnection {
  release(): void
  destroy(): void
}

export interface MysqlPool<Connection extends MysqlPoolConnection = MysqlPoolConnection> {
  getConnection(): Promise<Connection>
}

/** A pool or connection of mysql2's callback API. */
export interface WithPromise<T> {
  promise(): T
}

/** The connection that the statements of one operation are sent through. */
export interface Session {
  /** `applied`: 'unknown' where the statement writes what it reads. */
  read(statement: Sql, applied?: 'no' | 'unknown'): Promise<readonly Row[]>
  write(statement: Sql): Promise<Written>
  /** The end of a read, by which it sees what the transaction will change. */
  readonly lock: Sql
}

export type Row = Readonly<Record<string, unknown>>

/** Numbers may come as text: the pool decides about that. */
export interface Written {
  readonly insertId: number | string
  readonly affectedRows: number | string
  readonly serverStatus: number
}

/**
 * Rows are objects, and values as mysql2 makes them by itself, whatever the settings of the pool are. Without `values: null`
 * mysql2 would look for placeholders in each character of a statement.
 */
const pinned = {
  values: null,
  rowsAsArray: false,
  nestTables: false,
  namedPlaceholders: false,
  typeCast: (_field: unknown, next: () => unknown): unknown => next(),
} as const

/** Conflicts of 64 clients at once are over after a few; this many say that something else is wrong. */
const MAX_TRIES = 30

const CONFLICT_PAUSES = { firstMs: 1, maxMs: 100 }

/** Waits before the same is tried again, longer each time, never all at once. */
const pause = (tries: number): Promise<void> => sleep(backOff(tries, CONFLICT_PAUSES))

/** Asks again as long as another writer came between. */
export async function untilAnswered<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    const answer = await attempt()
    if (answer !== undefined) return answer
    await pause(tries)
  }
  throw new StoreUnavailableError(`Other writers of the key came first in ${MAX_TRIES} tries. Try again.`, {
    applied: 'no',
  })
}

/** The promise API of a pool or a connection. */
export function promised<T>(driver: T | WithPromise<T>): T {
  return typeof (driver as Partial<WithPromise<T>> | undefined)?.promise === 'function'
    ? (driver as WithPromise<T>).promise()
    : (driver as T)
}

/**
 * The promise API of a pool.
 *
 * @throws IdempotencyInvalidOptionError where it gives no connections as mysql2 does
 */
export function promisedPool<Connection extends MysqlPoolConnection>(
  given: MysqlPool<Connection> | WithPromise<MysqlPool<Connection>>,
): MysqlPool<Connection> {
  const pool = promised(given)
  const kind = typeof Object(pool).getConnection === 'function' ? describeOther(pool) : describeKind(pool)
  if (kind === undefined) return pool
  throw new IdempotencyInvalidOptionError('pool', `must be a pool of mysql2, got ${kind}`)
}

/** Pools that would call back what they were not given, and so end the process. */
function describeOther(pool: object): string | undefined {
  if (/^Pool(Cluster|Namespace)$/.test(pool.constructor?.name))
    return 'a cluster of its callback API: take createPoolCluster of mysql2/promise'
  return 'acquireConnection' in pool ? 'one of mysql' : undefined
}

/** Settings of a pool of mysql2, undefined where a wrapper hides them. `core` stands for the pool, whichever API it has. */
export function settingsOf(pool: object): {
  readonly core: object
  readonly connections: number | undefined
  readonly database: string | undefined
} {
  const core = (pool as { readonly pool?: object }).pool ?? pool
  const { connectionLimit, connectionConfig } = Object(Object(core).config)
  // 0 is without a limit
  return { core, connections: connectionLimit || undefined, database: Object(connectionConfig).database || undefined }
}

/** Takes a connection from the pool. One that comes too late goes back. */
export async function connect<Connection extends MysqlPoolConnection>(
  pool: MysqlPool<Connection>,
  timeoutMs: number,
): Promise<Connection> {
  const coming = pool.getConnection()
  try {
    const connection = await answered(timeoutMs, coming)
    if (typeof Object(connection).query !== 'function') throw new StoreMisconfiguredError(NOT_MYSQL2)
    return connection
  } catch (error) {
    coming.then(
      (connection) => connection?.release(),
      () => {},
    )
    throw toStoreError(error, 'no')
  }
}

/**
 * A session in which each statement commits by itself. A conflict is tried again; after any other failure the connection is
 * closed. An error that `isRefused` names is thrown as it is, and closes nothing.
 */
export function ownSession(
  connection: MysqlPoolConnection,
  timeoutMs: number,
  isRefused: (error: unknown) => boolean = () => false,
): Session {
  async function ask(statement: Sql, applied: 'no' | 'unknown'): Promise<unknown> {
    for (let tries = 1; ; tries++) {
      try {
        return await send(connection, statement, timeoutMs)
      } catch (error) {
        if (isRefused(error)) throw error
        if (isConflict(error) && tries < MAX_TRIES) await pause(tries)
        else throw close(toStoreError(error, applied))
      }
    }
  }
  const close = (error: Error) => {
    connection.destroy()
    return error
  }
  return {
    lock: sql``,
    async read(statement, applied = 'no') {
      const rows = toRows(await ask(statement, applied))
      if (Number(rows[0]?.autocommit ?? 1) === 1) return rows
      throw close(new StoreMisconfiguredError(NOT_ALONE))
    },
    async write(statement) {
      const reply = (await ask(statement, 'unknown')) as Written
      if (isAlone(reply)) return reply
      throw close(new StoreMisconfiguredError(NOT_ALONE))
    },
  }
}

const NOT_ALONE =
  'A connection of the pool has autocommit off, or a transaction that was left open. It was closed, and nothing was changed. ' +
  'Leave autocommit on, and end each transaction before its connection is released.'

/**
 * A session in a transaction of the caller, who rolls it back when a statement throws.
 *
 * @throws IdempotencyInvalidOptionError where `tx` cannot run a statement
 */
export function boundSession(tx: MysqlConnection | WithPromise<MysqlConnection>): Session {
  const connection = promised(tx)
  if (typeof Object(connection).query !== 'function')
    throw new IdempotencyInvalidOptionError(
      'tx',
      `must be the connection of mysql2 that the transaction is open on, got ${describeKind(tx)}; docs/orms.md says where an ORM has it`,
    )
  const ask = (statement: Sql) => sendInTransaction(connection, statement, 'no')
  return {
    lock: sql` FOR UPDATE`,
    read: async (statement) => toRows(await ask(statement)),
    write: async (statement) => (await ask(statement)) as Written,
  }
}

/**
 * Sends a statement of a transaction; `applied` is 'unknown' for COMMIT alone. A conflict is one of the whole transaction: the
 * statement must not be sent again.
 */
export async function sendInTransaction(
  connection: MysqlConnection,
  statement: Sql,
  applied: 'no' | 'unknown',
  timeoutMs?: number,
): Promise<unknown> {
  try {
    return await send(connection, statement, timeoutMs)
  } catch (error) {
    throw applied === 'unknown' ? toCommitError(error) : toStoreError(toTransactionError(error), applied)
  }
}

async function send(connection: MysqlConnection, { text }: Sql, timeoutMs?: number): Promise<unknown> {
  const answer = connection.query({ sql: text, ...pinned })
  const reply = await (timeoutMs === undefined ? answer : answered(timeoutMs, answer))
  if (Array.isArray(reply)) return reply[0]
  throw new StoreMisconfiguredError(NOT_MYSQL2)
}

function toRows(reply: unknown): readonly Row[] {
  if (Array.isArray(reply)) return reply
  throw new StoreMisconfiguredError(NOT_MYSQL2)
}

const NOT_MYSQL2 =
  'The connection does not answer as one of mysql2/promise does, by a promise of [rows, fields]. Give the store a pool of mysql2, or ' +
  'the connection of mysql2 that is below your ORM (docs/orms.md).'

/**
 * A deadlock ends a transaction on the server, and the statements that follow commit by themselves: a caller who caught
 * that error must learn it before the record is written.
 *
 * @throws IdempotencyInvalidOptionError when no transaction is open on the connection
 */
export async function requireTransaction({ write }: Session): Promise<void> {
  if (!isAlone(await write(NOTHING))) return
  throw new IdempotencyInvalidOptionError(
    'tx',
    'no transaction is open on it: none was begun, or a deadlock has ended it',
  )
}

/** Changes nothing; its answer tells the state of the session. */
export const NOTHING = sql`DO 0`

const IN_TRANSACTION = 1
const AUTOCOMMIT = 2
const isAlone = ({ serverStatus }: Written) => (serverStatus & (IN_TRANSACTION | AUTOCOMMIT)) === AUTOCOMMIT

/** The answer; without one in time, an error that says nothing of what took effect. */
function answered<T>(timeoutMs: number, answer: Promise<T>): Promise<T> {
  return within(timeoutMs, answer, () => new Error(`no answer within ${timeoutMs} ms`))
}
