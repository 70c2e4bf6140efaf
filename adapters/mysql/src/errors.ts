/** Every error of the driver, the server or the network becomes one of those that a store may throw. */
import type { IdempotencyError } from '@retryproof/core'
import {
  isIdempotencyError,
  StoreMisconfiguredError,
  StoreUnavailableError,
  TransactionConflictError,
} from '@retryproof/core/store'

/** What to do, by the server's error numbers. */
const ADVICE: readonly (readonly [readonly number[], string])[] = [
  [[1146], 'Run migrate(), or the statements of schema().'],
  [[1049], 'Create the database, then run migrate().'],
  [[1046], 'Set the `database` of the pool, or name it in `table`.'],
  [
    [1044, 1045, 1142, 1227, 1698],
    'Check the user of the pool: it needs SELECT, INSERT, UPDATE and DELETE on the table, and CREATE for migrate().',
  ],
  [[1290, 1792, 1836], 'This server or session only reads: connect to the primary.'],
  [[1153], 'Raise the max_allowed_packet of the server, or lower maxValueBytes.'],
  [[1568], 'A transaction was left open on this connection: end each one before the connection is released.'],
  [
    [1048, 1054, 1264, 1265, 1364, 1366, 1406],
    'The table has another layout, or that of a later version: run migrate() to see.',
  ],
]

const LOCK_TIMEOUT = 1205
/** A deadlock, or a record that has changed since the transaction's snapshot: the server has rolled back. */
const CONFLICTS = [1213, 1020]
/** The wait for a lock was too long, no connection was to be had, or a conflict: the statement took no effect. */
const REFUSED = [LOCK_TIMEOUT, 3572, 1040, 1203, 1226, ...CONFLICTS]

/** What `error` means to the caller of a store; `applied` where the error itself does not say. */
export function toStoreError(error: unknown, applied: 'no' | 'unknown'): IdempotencyError {
  if (isIdempotencyError(error)) return error
  const cause = withoutStatement(error)
  const message = `MySQL: ${cause instanceof Error ? cause.message : String(cause)}.`
  const number = errorNumber(error)
  const advice = ADVICE.find(([numbers]) => numbers.includes(number))?.[1]
  if (advice) return new StoreMisconfiguredError(`${message} ${advice}`, { cause })
  return new StoreUnavailableError(message, { applied: REFUSED.includes(number) ? 'no' : applied, cause })
}

/** The same statement may succeed when it is sent again. */
export const isConflict = (error: unknown): boolean => CONFLICTS.includes(errorNumber(error))

/** What `error`, or one that it wraps, means to a transaction: all else stays what it is. */
export function toTransactionError(error: unknown): unknown {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    const reason = isConflict(cause) ? 'conflict' : errorNumber(cause) === LOCK_TIMEOUT ? 'lock-timeout' : undefined
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
