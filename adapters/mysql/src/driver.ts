/** Sends statements: alone, or in a transaction of the caller. */
import { backOff, describeKind, sleep, within } from '@retryproof/core/internal'
import { IdempotencyInvalidOptionError, StoreMisconfiguredError, StoreUnavailableError } from '@retryproof/core/store'
import { isDirect } from './direct.ts'
import { isConflict, toCommitError, toStoreError, toTransactionError } from './errors.ts'
import {
  type MysqlConnection,
  type MysqlPool,
  type MysqlPoolConnection,
  pinned,
  promised,
  type WithPromise,
} from './pool.ts'
import { type Sql, sql } from './sql.ts'

/** The connection that the statements of one operation are sent through. */
export interface Session {
  /** `applied`: 'unknown' where the statement writes what it reads. */
  read(statement: Sql, applied?: 'no' | 'unknown'): Promise<readonly Row[]>
  write(statement: Sql): Promise<Written>
  /** The end of a read in a transaction, by which it sees what that will change. */
  readonly lock?: Sql
}

export type Row = Readonly<Record<string, unknown>>

/** Numbers may come as text: the pool decides about that. */
export interface Written {
  readonly insertId: number | string
  readonly affectedRows: number | string
  readonly serverStatus: number
}

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

async function send(connection: MysqlConnection, statement: Sql, timeoutMs?: number): Promise<unknown> {
  const answer = isDirect(connection)
    ? connection.send(statement)
    : connection.query({ sql: statement.text, ...pinned })
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
