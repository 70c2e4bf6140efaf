/** Maps errors of SQLite to errors of the store port. */
import type { IdempotencyError } from '@retryproof/core'
import { StoreMisconfiguredError, StoreUnavailableError } from '@retryproof/core/store'

export function guard<T>(call: () => T, applied: 'no' | 'unknown' = 'no'): T {
  try {
    return call()
  } catch (error) {
    throw toStoreError(error, applied)
  }
}

const advice: Record<string, string> = {
  BUSY: 'Another connection holds the lock: end its transaction, or raise lockTimeoutMs.',
  READONLY: 'Open it for writing, and let this process write to the file and to its folder.',
  CORRUPT: 'The file is damaged: restore it from a backup, or recover it with the sqlite3 shell.',
  FULL: 'Make room on the disk, raise max_page_count, or purge.',
  CANTOPEN: 'Its folder must exist, and this process must be able to write to it.',
  NOTADB: 'Open another file: this one is no SQLite database, or it is encrypted.',
}

function toStoreError(cause: unknown, applied: 'no' | 'unknown'): IdempotencyError {
  const name = resultName(cause)
  const text = cause instanceof Error ? cause.message : String(cause)
  if (/no such (table|column)|has no column/.test(text)) {
    return new StoreMisconfiguredError(`SQLite: ${text}. Run migrate(), or the statements of schema().`, { cause })
  }
  const message = `SQLite: ${text}. ${advice[name] ?? ''}`.trimEnd()
  if (name === 'READONLY' || name === 'NOTADB') return new StoreMisconfiguredError(message, { cause })
  // a COMMIT that says so too has written nothing
  const isSure = isLocked(cause) || name === 'FULL'
  return new StoreUnavailableError(message, { applied: isSure ? 'no' : applied, cause })
}

export function isLocked(cause: unknown): boolean {
  return ['BUSY', 'LOCKED'].includes(resultName(cause))
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
