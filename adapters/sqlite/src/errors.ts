/** The kind of each error of SQLite and its drivers: unavailable, misconfigured or closed. */
import type { IdempotencyError } from '@retryproof/core'
import { type ErrorMeaning, storeError } from '@retryproof/core/internal'
import { isIdempotencyError } from '@retryproof/core/store'

/** Calls the driver, whose errors become those of the store. `applied` where the error itself does not say. */
export function guard<T>(call: () => T, applied: 'no' | 'unknown' = 'no'): T {
  try {
    return call()
  } catch (error) {
    throw toStoreError(error, applied)
  }
}

const misconfigured = (advice: string): ErrorMeaning => ({ kind: 'misconfigured', advice })
/** A COMMIT that says so has written nothing. */
const refused = (advice: string): ErrorMeaning => ({ kind: 'unavailable', applied: 'no', advice })

/** By the result code without its extension. */
const BY_CODE: Readonly<Record<string, ErrorMeaning>> = {
  BUSY: refused('Another connection holds the lock: end its transaction, or raise lockTimeout.'),
  LOCKED: refused('Another connection holds the lock: end its transaction, or raise lockTimeout.'),
  FULL: refused('Make room on the disk, raise max_page_count, or purge.'),
  CANTOPEN: refused('Its folder must exist, and this process must be able to write to it.'),
  READONLY: misconfigured('Open it for writing, and let this process write to the file and to its folder.'),
  PERM: misconfigured('Let this process read and write the file and its folder.'),
  AUTH: misconfigured('Let the authorizer of the connection read and write the table.'),
  CORRUPT: misconfigured('The file is damaged: restore it from a backup, or recover it with the sqlite3 shell.'),
  NOTADB: misconfigured('Open another file: this one is no SQLite database, or it is encrypted.'),
  TOOBIG: misconfigured('The value has no room in a row of this database: store a reference.'),
}

/** By the text, where the code says no more than "error". */
const BY_MESSAGE: readonly (readonly [RegExp, ErrorMeaning])[] = [
  [/no such (table|column)|has no column/, misconfigured('Run migrate(), or the statements of schema().')],
  [/(database|connection) is not open|closed database|database has closed/i, { kind: 'closed' }],
]

function toStoreError(cause: unknown, applied: 'no' | 'unknown'): IdempotencyError {
  const said = cause instanceof Error ? cause.message : String(cause)
  const known = BY_MESSAGE.find(([texts]) => texts.test(said))?.[1] ?? BY_CODE[resultName(cause)]
  return storeError(`SQLite: ${said}`, known ?? { kind: 'unavailable', applied }, cause)
}

/** Tells whether another connection holds the lock. */
export function isLocked(cause: unknown): boolean {
  return ['BUSY', 'LOCKED'].includes(resultName(cause))
}

/** Tells whether SQLite refused what a batch of calls wrote, and rolled it back: the reason may be one of them. */
export function isRefused(error: unknown): boolean {
  if (isIdempotencyError(error, 'IDEMPOTENCY_STORE_MISCONFIGURED')) return true
  if (!isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE')) return false
  return error.applied === 'no' && error.cause !== undefined && !isLocked(error.cause)
}

/** SQLite's result codes by their numbers. */
const names =
  'OK ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL CANTOPEN PROTOCOL ' +
  'EMPTY SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB'

/** The result code without its extension: node:sqlite gives a number, the others a name. */
function resultName(error: unknown): string {
  const { code, errcode } = Object(error) as { code?: unknown; errcode?: unknown }
  if (typeof errcode === 'number') return names.split(' ')[errcode & 0xff] ?? ''
  return /^SQLITE_([A-Z]+)/.exec(String(code))?.[1] ?? ''
}
