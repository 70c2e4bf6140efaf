/** What is used of mysql2, typed by use, and how a statement is sent: alone, or in a transaction of the caller. */
import { setTimeout as sleep } from 'node:timers/promises'
import { IdempotencyInvalidOptionError, StoreMisconfiguredError } from '@retryproof/core/store'
import { isConflict, toStoreError, toTransactionError } from './errors.ts'
import { type Sql, sql } from './statements.ts'

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

/** What the statements of one operation are sent through. */
export interface Session {
  read(statement: Sql): Promise<readonly Row[]>
  write(statement: Sql): Promise<Written>
  /** What a read ends with, so that it sees what the transaction will change. */
  readonly lock: Sql
}

export type Row = Readonly<Record<string, unknown>>

/** Numbers may come as text: the pool decides about that. */
export interface Written {
  readonly insertId: number | string
  readonly affectedRows: number | string
  readonly serverStatus: number
}

/** Whatever the pool's settings are, rows are objects, and values what mysql2 makes of them by itself. */
const pinned = {
  rowsAsArray: false,
  nestTables: false,
  namedPlaceholders: false,
  typeCast: (_field: unknown, next: () => unknown): unknown => next(),
} as const

/** Conflicts of 64 clients at once are over after a few; this many say that something else is wrong. */
export const MAX_TRIES = 30

/** Waits before the same is tried again, longer each time, never all at once. */
export const backOff = (tries: number): Promise<void> => sleep(Math.random() * Math.min(2 ** tries, 100))

/** The promise API of a pool or a connection. */
export function promised<T>(driver: T | WithPromise<T>): T {
  return typeof (driver as Partial<WithPromise<T>>).promise === 'function'
    ? (driver as WithPromise<T>).promise()
    : (driver as T)
}

/** Takes a connection from the pool. One that comes too late goes back. */
export async function connect<Connection extends MysqlPoolConnection>(
  pool: MysqlPool<Connection>,
  timeoutMs: number,
): Promise<Connection> {
  const coming = pool.getConnection()
  try {
    return await within(timeoutMs, coming)
  } catch (error) {
    coming.then(
      (connection) => connection.release(),
      () => {},
    )
    throw toStoreError(error, 'no')
  }
}

/** A session in which each statement commits by itself. A conflict is tried again; after any other failure the connection is closed. */
export function ownSession(connection: MysqlPoolConnection, timeoutMs: number): Session {
  async function ask(statement: Sql, applied: 'no' | 'unknown'): Promise<unknown> {
    for (let tries = 1; ; tries++) {
      try {
        return await send(connection, statement, timeoutMs)
      } catch (error) {
        if (isConflict(error) && tries < MAX_TRIES) await backOff(tries)
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
    async read(statement) {
      const rows = (await ask(statement, 'no')) as Row[]
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

/** A session in a transaction of the caller, who rolls it back when a statement throws. */
export function boundSession(connection: MysqlConnection): Session {
  const ask = (statement: Sql) => sendInTransaction(connection, statement, 'no')
  return {
    lock: sql` FOR UPDATE`,
    read: async (statement) => (await ask(statement)) as Row[],
    write: async (statement) => (await ask(statement)) as Written,
  }
}

/** A conflict is one of the whole transaction: the statement must not be sent again. */
export async function sendInTransaction(
  connection: MysqlConnection,
  statement: Sql,
  applied: 'no' | 'unknown',
  timeoutMs?: number,
): Promise<unknown> {
  try {
    return await send(connection, statement, timeoutMs)
  } catch (error) {
    throw toStoreError(toTransactionError(error), applied)
  }
}

async function send(connection: MysqlConnection, { text }: Sql, timeoutMs?: number): Promise<unknown> {
  const answer = connection.query({ ...pinned, sql: text })
  const [reply] = await (timeoutMs === undefined ? answer : within(timeoutMs, answer))
  return reply
}

/**
 * A deadlock ends a transaction on the server, and what follows commits by itself, statement by statement: who has caught
 * that error must learn it before the record is written.
 *
 * @throws IdempotencyInvalidOptionError when no transaction is open on the connection
 */
export async function requireTransaction({ write }: Session): Promise<void> {
  if (!isAlone(await write(sql`DO 0`))) return
  throw new IdempotencyInvalidOptionError(
    'tx',
    'no transaction is open on it: none was begun, or a deadlock has ended it',
  )
}

const IN_TRANSACTION = 1
const AUTOCOMMIT = 2
const isAlone = ({ serverStatus }: Written) => (serverStatus & (IN_TRANSACTION | AUTOCOMMIT)) === AUTOCOMMIT

async function within<T>(timeoutMs: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
