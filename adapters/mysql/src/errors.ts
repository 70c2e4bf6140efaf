/** The kind of each error of the driver, the server and the network: unavailable, misconfigured or closed. */
import type { IdempotencyError } from '@retryproof/core'
import { type ErrorMeaning, storeError } from '@retryproof/core/internal'
import { isIdempotencyError, StoreUnavailableError, TransactionConflictError } from '@retryproof/core/store'

const refused = (advice?: string): ErrorMeaning => ({ kind: 'unavailable', applied: 'no', ...(advice && { advice }) })
const misconfigured = (advice: string): ErrorMeaning => ({ kind: 'misconfigured', advice })

const LOCK_TIMEOUT = 1205
/** A deadlock, or a record that has changed since the transaction's snapshot: the server has rolled back. */
const CONFLICTS = [1213, 1020]
/** Answers of a server that was demoted, or was made to read only. */
const READ_ONLY = [1290, 1792, 1836]
/** Answers of a server that shuts down, starts up, or is no member of its cluster now. */
const NOT_SERVING = [1047, 1077, 1079]
/** Ends a statement while the server shuts down. A statement that commits by itself may have committed before. */
const SHUTDOWN = 1053

/** By the server's error numbers. */
const BY_NUMBER: readonly (readonly [readonly number[], ErrorMeaning])[] = [
  [
    READ_ONLY,
    refused('The server only reads for now. If that lasts: connect to the primary, and let the session write.'),
  ],
  [NOT_SERVING, refused('The server starts up, shuts down, or has left its cluster.')],
  [[1040, 1203, 1226], refused('All connections are taken: lower the sizes of the pools, or raise max_connections.')],
  [[LOCK_TIMEOUT, 3572, 1062, ...CONFLICTS], refused()],
  [[1021, 1114], refused('Make room on the disk of the server.')],
  [[1146], misconfigured('Run migrate(), or the statements of schema().')],
  [[1049], misconfigured('Create the database, then run migrate().')],
  [[1046], misconfigured('Set the `database` of the pool, or name it in `table`.')],
  [
    [1044, 1045, 1130, 1142, 1143, 1227, 1251, 1524, 1698, 1820, 1862, 3118, 4151],
    misconfigured(
      'Check the user of the pool: it needs SELECT, INSERT, UPDATE and DELETE on the table, and CREATE for migrate().',
    ),
  ],
  [[1129], misconfigured('The server blocks this host after failed connections: run FLUSH HOSTS there.')],
  [[1153], misconfigured('Raise the max_allowed_packet of the server, or lower maxValueBytes.')],
  [
    [1568],
    misconfigured('A transaction was left open on this connection: end each one before the connection is released.'),
  ],
  [
    [1665],
    misconfigured('Set binlog_format to ROW or MIXED: transactions at READ COMMITTED cannot be logged by statement.'),
  ],
  [
    [1048, 1054, 1264, 1265, 1364, 1366, 1406],
    misconfigured('The table has another layout, or that of a later version: run migrate() to see.'),
  ],
]

const CLOSED = /^Pool is closed/
const WITHOUT_TLS = /^Server does not support secure connection/

/** The error of the store that `error` is; `applied` where the error itself does not say. Errors of this library stay what they are. */
export function toStoreError(error: unknown, applied: 'no' | 'unknown'): IdempotencyError {
  if (isIdempotencyError(error)) return error
  const cause = withoutStatement(error)
  const said = messageOf(cause)
  return storeError(`MySQL: ${said}`, meaningOf(error, said) ?? { kind: 'unavailable', applied }, cause)
}

function meaningOf(error: unknown, said: string): ErrorMeaning | undefined {
  if (CLOSED.test(said)) return { kind: 'closed' }
  if (WITHOUT_TLS.test(said)) return misconfigured('Let the server use TLS, or leave `ssl` out of the pool.')
  const number = errorNumber(error)
  const known = BY_NUMBER.find(([numbers]) => numbers.includes(number))
  if (known) return known[1]
  return Object(error).syscall === 'connect' || Object(error).syscall === 'getaddrinfo' ? refused() : undefined
}

/** Tells whether the server refused a batch of calls: none took effect, and the reason may be one of them. */
export function isRefused(error: unknown): boolean {
  if (isIdempotencyError(error)) return false
  const meaning = meaningOf(error, messageOf(error))
  return meaning?.kind === 'misconfigured' || (meaning?.kind === 'unavailable' && meaning.applied === 'no')
}

/** Tells whether the same statement may succeed when it is sent again. */
export const isConflict = (error: unknown): boolean => CONFLICTS.includes(errorNumber(error))

/**
 * The error of a transaction in which a statement failed, of the store or of the caller, however it was wrapped: another
 * transaction came between, or the server reads only or shuts down. Every other error stays what it is.
 */
export function toTransactionError(error: unknown): unknown {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    const number = errorNumber(cause)
    const reason = isConflict(cause) ? 'conflict' : number === LOCK_TIMEOUT ? 'lock-timeout' : undefined
    if (reason)
      return new TransactionConflictError(`MySQL: ${cause.message}.`, { reason, cause: withoutStatement(error) })
    if (isSessionLost(cause)) {
      const message = `The session was lost before the transaction could commit: ${cause.message}`
      return new StoreUnavailableError(message, { applied: 'no', cause: withoutStatement(error) })
    }
  }
  return error
}

/** Maps an error of COMMIT. Only a conflict is certain to have rolled back; every other one may have come after the commit. */
export function toCommitError(error: unknown): IdempotencyError {
  const known = toTransactionError(error)
  if (isIdempotencyError(known, 'IDEMPOTENCY_TRANSACTION_CONFLICT')) return known
  const cause = withoutStatement(error)
  return new StoreUnavailableError(`MySQL: the outcome of COMMIT is unknown: ${messageOf(cause)}`, {
    applied: 'unknown',
    cause,
  })
}

/** Tells whether the server reads only, shuts down, or ended the session; the driver marks an error that ends a connection. */
function isSessionLost(error: unknown): boolean {
  return (
    Object(error).fatal === true ||
    [...READ_ONLY, ...NOT_SERVING, SHUTDOWN, 1152, 1927, 4031].includes(errorNumber(error))
  )
}

const errorNumber = (error: unknown): number => Number(Object(error).errno)

function messageOf(error: unknown): string {
  // a host with several addresses has an error of each, below one that says nothing
  const [first = error] = (Object(error) as Partial<AggregateError>).errors ?? []
  return first instanceof Error ? first.message : String(first)
}

/** The driver keeps the statement with its error, and the statement holds what was asked: it must not reach a log. */
function withoutStatement(error: unknown): unknown {
  if (error instanceof Error && 'sql' in error) error.sql = undefined
  return error
}
