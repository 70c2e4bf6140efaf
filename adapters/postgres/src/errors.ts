/** The kind of each error of the driver, the server and the network: unavailable, misconfigured or closed. */
import type { IdempotencyError } from '@retryproof/core'
import { type ErrorMeaning, storeError } from '@retryproof/core/internal'
import { isIdempotencyError } from '@retryproof/core/store'

/** The error of the store that `error` is. Errors of this library stay what they are. */
export function toStoreError(error: unknown, table = 'of the store'): IdempotencyError {
  if (isIdempotencyError(error)) return error
  const { code, message } = describe(error)
  const meaning = meaningOf(error)
  const said = `PostgreSQL: ${message}${code ? ` (${code})` : ''}`
  return storeError(
    said,
    'advice' in meaning ? { ...meaning, advice: meaning.advice.replace('%', table) } : meaning,
    error,
  )
}

const refused = (advice?: string): ErrorMeaning => ({ kind: 'unavailable', applied: 'no', ...(advice && { advice }) })
const misconfigured = (advice: string): ErrorMeaning => ({ kind: 'misconfigured', advice })

/** By SQLSTATE or code of the driver; `%` stands for the table. */
const BY_CODE: readonly (readonly [RegExp, ErrorMeaning])[] = [
  [
    /^25006$/,
    refused(
      'The server only reads for now. If that lasts: connect to the primary, with default_transaction_read_only off.',
    ),
  ],
  [
    /^53300$/,
    refused('All connections of the server are taken: lower the sizes of the pools, or raise max_connections.'),
  ],
  [/^57P03$/, refused('The server starts up or shuts down.')],
  [/^57P0[125]$/, { kind: 'unavailable', applied: 'unknown', advice: 'The server ended the session.' }],
  [/^57P04$/, misconfigured('The database was dropped: check the settings of the connection.')],
  [/^42P01$/, misconfigured('The table % does not exist: run migrate(), or the statements that schema() gives.')],
  [/^3F000$/, misconfigured('The schema of the table % does not exist: create it, then run migrate().')],
  [
    /^42501$/,
    misconfigured(
      'The role needs SELECT, INSERT, UPDATE and DELETE on the table %; for migrate(), CREATE on its schema.',
    ),
  ],
  [/^(26000|42P05)$/, misconfigured('A pooler in transaction mode loses prepared statements: set `prepare: false`.')],
  [
    /^(28...|3D000)$/,
    misconfigured('The server does not accept this role or database: check the settings of the connection.'),
  ],
  [
    /^(54...|22021)$/,
    misconfigured('There is no room for this key, owner or fingerprint: it is too long, or has a NUL character.'),
  ],
  [
    /^(42...|22001|22003|23502)$/,
    misconfigured('The table % has another layout, or that of a later version: run migrate() to see.'),
  ],
  /** The server refused the statement or rolled the transaction back. Sessions that ended and full disks are not here: their COMMIT may have been written. */
  [/^((0A|21|22|23|25|2D|55|P0)...|40001|40P01|57014)$/, refused()],
  [/^CONNECTION_ENDED$/, { kind: 'closed' }],
  [/^CONNECT_TIMEOUT$/, refused()],
]

/** By what drivers say that give no code. */
const BY_MESSAGE: readonly (readonly [RegExp, ErrorMeaning])[] = [
  [/calling end on the pool|Client was closed and is not queryable|PGlite is closed/, { kind: 'closed' }],
  [/connection error and is not queryable/, refused('A pg.Client never connects again: use a pg.Pool.')],
  [/trying to connect|timeout expired|due to connection timeout/, refused()],
  [
    /^SASL|server does not support SSL/,
    misconfigured('Check the password and `ssl` in the settings of the connection.'),
  ],
]

function meaningOf(error: unknown): ErrorMeaning {
  const { code, syscall, message } = describe(error)
  const known = BY_CODE.find(([codes]) => codes.test(code)) ?? BY_MESSAGE.find(([texts]) => texts.test(message))
  if (known) return known[1]
  return { kind: 'unavailable', applied: /^(connect|getaddrinfo)$/.test(syscall) ? 'no' : 'unknown' }
}

/** Tells whether the server refused a batch of calls: none took effect, and the reason may be one of them. */
export function isRefused(error: unknown): boolean {
  if (isIdempotencyError(error)) return false
  const meaning = meaningOf(error)
  return meaning.kind === 'misconfigured' || (meaning.kind === 'unavailable' && meaning.applied === 'no')
}

/** Races that a transaction may lose to another one: the same again may succeed. */
const RACES: Readonly<Record<string, 'conflict' | 'lock-timeout'>> = {
  '40001': 'conflict',
  '40P01': 'conflict',
  '55P03': 'lock-timeout',
}

/** Tells whether the server rolled back because another transaction came between. */
export const isConflict = (error: unknown): boolean => RACES[describe(error).code] === 'conflict'

/** Tells whether the transaction reads a snapshot, and another has changed the record since. */
export const isStale = (error: unknown): boolean => describe(error).code === '40001'

/** The race that a transaction lost, by any statement in it, however its error was wrapped. */
export function raceIn(error: unknown): 'conflict' | 'lock-timeout' | undefined {
  return causes(error)
    .map((cause) => RACES[describe(cause).code])
    .find(Boolean)
}

/** Codes by which the server says that no transaction can go on, or only one that reads. */
const SESSION_LOST = /^(25006|25P0[34]|57P0[1235]|08...)$/

/**
 * Tells whether a statement met a server that shuts down, fails over or ended the session. `broken`: the error by which
 * the driver said so before.
 */
export const isSessionLost = (error: unknown, broken: Error | undefined): boolean =>
  causes(error).some((cause) => {
    const { code, message } = describe(cause)
    return cause === broken || SESSION_LOST.test(code) || /connection error and is not queryable/.test(message)
  })

/** Tells whether a constraint or a trigger of the caller, deferred to the COMMIT, refused what the caller wrote. */
export const isOfTheCaller = (error: unknown): boolean => /^(23|P0)...$/.test(describe(error).code)

/** The error and what it wraps, five deep. An error of this library has been judged already. */
function causes(error: unknown, depth = 5): unknown[] {
  if (!(error instanceof Error) || depth === 0 || isIdempotencyError(error, 'IDEMPOTENCY_UNSUPPORTED_ISOLATION'))
    return []
  return [error, ...causes(error.cause, depth - 1)]
}

function describe(error: unknown): { readonly code: string; readonly syscall: string; readonly message: string } {
  // a host with several addresses has an error of each, below one that says nothing
  const [first = error] = (Object(error) as Partial<AggregateError>).errors ?? []
  const { code = '', syscall = '', message = first } = Object(first) as Record<string, unknown>
  return { code: String(code), syscall: String(syscall), message: String(message) }
}
