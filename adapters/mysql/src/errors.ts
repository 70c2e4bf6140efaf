/** Every error of the driver, the server or the network becomes one of the two that a store may throw. */
import {
  IdempotencyError,
  StoreMisconfiguredError,
  StoreUnavailableError,
  TransactionConflictError,
} from '@retryproof/core'

const LAYOUT =
  'The table has another layout, or belongs to a later version. Run migrate(), or give the store a table of its own.'
const READ_ONLY = 'This server only reads: connect to the primary.'
const ACCESS =
  'This user needs SELECT, INSERT, UPDATE and DELETE on the table (and CREATE for migrate()): check the settings of the pool.'
const OPEN =
  'A transaction was still open on a connection from the pool. End each one before the connection is released.'

/** By the server's error number. */
const ADVICE: Readonly<Record<number, string>> = {
  1044: ACCESS,
  1045: ACCESS,
  1046: 'The pool names no database: set its `database`, or give the store `table: "database.table"`.',
  1048: LAYOUT,
  1049: 'The database does not exist: create it, then run migrate().',
  1054: LAYOUT,
  1142: ACCESS,
  1146: 'The table does not exist: run migrate(), or the statements of schema().',
  1153: 'The value is too large for the server: raise its max_allowed_packet, or lower maxValueBytes.',
  1227: ACCESS,
  1264: LAYOUT,
  1265: LAYOUT,
  1290: READ_ONLY,
  1364: LAYOUT,
  1366: LAYOUT,
  1406: LAYOUT,
  1568: OPEN,
  1698: ACCESS,
  1792: READ_ONLY,
  1836: READ_ONLY,
}

const LOCK_TIMEOUT = 1205
/** A deadlock, or a record that has changed since the transaction's snapshot: the server has rolled back. */
const CONFLICTS = [1213, 1020]
/** The wait for a lock was too long, no connection was to be had, or a conflict: the statement took no effect. */
const REFUSED = [LOCK_TIMEOUT, 3572, 1040, 1203, 1226, ...CONFLICTS]

/** What `error` means to the caller of a store; `applied` where the error itself does not say. */
export function explain(error: unknown, applied: 'no' | 'unknown'): IdempotencyError {
  if (error instanceof IdempotencyError) return error
  const cause = withoutStatement(error)
  const message = `MySQL: ${cause instanceof Error ? cause.message : String(cause)}.`
  const number = errorNumber(error)
  const advice = ADVICE[number]
  if (advice) return new StoreMisconfiguredError(`${message} ${advice}`, { cause })
  return new StoreUnavailableError(message, { applied: REFUSED.includes(number) ? 'no' : applied, cause })
}

/** The same statement may succeed when it is sent again. */
export const isConflict = (error: unknown): boolean => CONFLICTS.includes(errorNumber(error))

/** What `error`, or one that it wraps, means to a transaction: all else stays what it is. */
export function explainInTransaction(error: unknown): unknown {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    const reason = isConflict(cause) ? 'conflict' : errorNumber(cause) === LOCK_TIMEOUT ? 'lock timeout' : undefined
    if (reason)
      return new TransactionConflictError(`MySQL: ${cause.message}.`, { reason, cause: withoutStatement(error) })
  }
  return error
}

function errorNumber(error: unknown): number {
  return Number(Object(error).errno)
}

/** The driver keeps the statement with its error, and the statement holds what was asked: it must not reach a log. */
function withoutStatement(error: unknown): unknown {
  if (error instanceof Error && 'sql' in error) error.sql = undefined
  return error
}
