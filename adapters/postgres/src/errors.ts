/** Every error of the driver, the server or the network becomes one of the two that a store may throw. */
import type { IdempotencyError } from '@retryproof/core'
import {
  isIdempotencyError,
  StoreMisconfiguredError,
  StoreUnavailableError,
  UnsupportedIsolationError,
} from '@retryproof/core/store'

/** What `error` means to the caller of a store. Errors of this library stay what they are. */
export function toStoreError(error: unknown, table: string): IdempotencyError {
  if (isIdempotencyError(error)) return error
  const { code, message } = describe(error)
  const advice = ADVICE.find(([codes]) => codes.test(code))?.[1]
  if (advice)
    return new StoreMisconfiguredError(`${advice.replace('%', table)} (${code}: ${message})`, { cause: error })
  const applied = wasRefused(error) ? 'no' : 'unknown'
  return new StoreUnavailableError(`PostgreSQL could not do it: ${message}`, { applied, cause: error })
}

/** What another transaction did to this one: the same again may succeed. */
const RACES: Readonly<Record<string, 'conflict' | 'lock-timeout'>> = {
  '40001': 'conflict',
  '40P01': 'conflict',
  '55P03': 'lock-timeout',
}

/** Whether the server rolled back because another transaction came between. */
export const isConflict = (error: unknown): boolean => RACES[describe(error).code] === 'conflict'

/** The transaction reads a snapshot, and another has changed the record since. */
export const isStale = (error: unknown): boolean => describe(error).code === '40001'

/** What a transaction failed of, whoever's statement it was and whatever wrapped its error. */
export function raceIn(error: unknown, depth = 5): 'conflict' | 'lock-timeout' | undefined {
  if (!(error instanceof Error) || error instanceof UnsupportedIsolationError || depth === 0) return undefined
  return RACES[describe(error).code] ?? raceIn(error.cause, depth - 1)
}

/** A constraint or a trigger of the caller's own, deferred to the COMMIT, refused what the caller wrote. */
export const isOfTheCaller = (error: unknown): boolean => /^(23|P0)...$/.test(describe(error).code)

const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/^42P01$/, 'The table % does not exist: run migrate(), or the statements that schema() gives.'],
  [/^3F000$/, 'The schema of the table % does not exist: create it, then run migrate().'],
  [/^42501$/, 'The role needs SELECT, INSERT, UPDATE and DELETE on the table %; for migrate(), CREATE on its schema.'],
  [/^25006$/, 'This server or session only reads: connect to the primary, with default_transaction_read_only off.'],
  [/^(26000|42P05)$/, 'A pooler in transaction mode loses prepared statements: set `prepare: false`.'],
  [/^(28...|3D000)$/, 'The server does not accept this role or database: check the settings of the connection.'],
  [/^(54...|22021)$/, 'There is no room for this key, owner or fingerprint: it is too long, or has a NUL character.'],
  [/^(42...|22001|22003|23502)$/, 'The table % has another layout, or that of a later version: run migrate() to see.'],
]

/**
 * Certainly without effect: it never left, or the server says that it rolled back. Not in the list: sessions that were
 * ended, full disks, internal errors; before those a COMMIT may have been written.
 */
function wasRefused(error: unknown): boolean {
  const { code, syscall, message } = describe(error)
  return REFUSED.test(code) || /^(connect|getaddrinfo)$/.test(syscall) || NOT_SENT.test(message)
}

const REFUSED = /^(0A|21|22|23|25|2D|55|P0)...$|^(40001|40P01|53300|57014|57P03|ECONNREFUSED)$/
const NOT_SENT =
  /trying to connect|timeout expired|due to connection timeout|after calling end|not queryable|PGlite is closed/

function describe(error: unknown): { readonly code: string; readonly syscall: string; readonly message: string } {
  const { code = '', syscall = '', message = error } = (error ?? {}) as Record<string, unknown>
  return { code: String(code), syscall: String(syscall), message: String(message) }
}
