/** The driver as this store uses it, typed by use: a pg.Pool, a pg.Client, a PGlite, or a wrapper of one. */
import { describeKind, within } from '@retryproof/core/internal'
import { IdempotencyInvalidOptionError, StoreMisconfiguredError, StoreUnavailableError } from '@retryproof/core/store'
import { raceIn, toStoreError } from './errors.ts'
import { sendOwn, takesOwnQueries } from './own-query.ts'

/** Anything that runs a statement: a pool, a client, an open transaction. */
export interface PostgresQueryable {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: unknown[]; readonly command?: string }>
}

/** A pg.Pool. */
export interface PostgresPool<Client> extends PostgresQueryable {
  readonly totalCount: number
  readonly ending?: boolean
  readonly options?: { readonly max?: number | undefined }
  connect(): Promise<Client>
  connect(callback: (error: never, client: never, done: never) => void): void
}

/** A PGlite: a database inside of this process, with one connection. */
export interface PostgresEmbedded<Tx> extends PostgresQueryable {
  exec(script: string): Promise<unknown>
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>
}

export type PostgresDatabase<Tx> = PostgresQueryable | PostgresPool<Tx> | PostgresEmbedded<Tx>

/** A client of a pool; `release(true)` closes its connection. */
export interface PostgresPoolClient extends PostgresQueryable {
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'notification', listener: (message: { channel: string; payload?: string | undefined }) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
  release(destroy?: boolean): void
}

/** A statement; with a name it may be prepared. No other text has the same name, so that stores can share a connection. */
export interface Statement {
  readonly name?: string
  readonly text: string
}

interface Pg {
  query(config: {
    name: string | undefined
    text: string
    values: unknown[]
    types: typeof unparsed
  }): ReturnType<PostgresQueryable['query']>
}

const unparsed = { getTypeParser: () => (value: unknown) => value }

export const isPool = <Tx>(database: PostgresDatabase<Tx>): database is PostgresPool<Tx> => 'totalCount' in database
export const isEmbedded = <Tx>(database: PostgresDatabase<Tx>): database is PostgresEmbedded<Tx> => 'exec' in database
/** Pools and clients of pg, and what wraps them, connect; they take a statement as one object. */
const isPg = (db: PostgresQueryable): db is PostgresQueryable & Pg => 'connect' in db

/** @throws IdempotencyInvalidOptionError where `pool` cannot run a statement as pg does */
export function requireDriver(pool: unknown): void {
  const other = describeOther(Object(pool))
  if (other === undefined && typeof Object(pool).query === 'function') return
  throw new IdempotencyInvalidOptionError(
    'pool',
    `must be a pg.Pool, a connected pg.Client or a PGlite, got ${other ?? describeKind(pool)}`,
  )
}

function describeOther(pool: object): string | undefined {
  if ('unsafe' in pool && 'begin' in pool) return 'postgres.js; its README section has a wrapper'
  return '$pool' in pool ? 'the database of pg-promise: take its $pool' : undefined
}

/** Tells whether the driver knows that no transaction is open. */
const isOutside = (client: PostgresQueryable & { getTransactionStatus?(): string | null }): boolean =>
  client.getTransactionStatus?.() === 'I'

/**
 * @throws IdempotencyInvalidOptionError where `tx` cannot run a statement
 * @throws StoreUnavailableError where the driver knows that no transaction is open: each statement would commit by itself
 */
export function requireTransaction(tx: PostgresQueryable): void {
  if (typeof Object(tx).query !== 'function')
    throw new IdempotencyInvalidOptionError(
      'tx',
      `must be the client of pg that the transaction is open on, got ${describeKind(tx)}; docs/orms.md says where an ORM has it`,
    )
  if (!isOutside(tx)) return
  throw new StoreUnavailableError('No transaction is open on this client: say BEGIN first.', { applied: 'no' })
}

/** A client of a pool, in use. */
export interface Lent<Client> {
  readonly client: Client & PostgresPoolClient
  /** The error that broke the connection, once it is broken. */
  readonly broken: Error | undefined
  /** Lets the next call have the client too. */
  keep(): void
}

/**
 * Takes a client of the pool for `use`. A client that `use` did not keep is closed, so that the pool opens a new
 * connection, which finds the primary of the moment.
 *
 * @throws {@link StoreUnavailableError} with `applied: 'no'` when no connection came within `timeoutMs`
 */
export async function onClient<Client, T>(
  pool: PostgresPool<Client>,
  timeoutMs: number,
  use: (lent: Lent<Client>) => Promise<T>,
): Promise<T> {
  const coming = pool.connect() as Promise<Client & PostgresPoolClient>
  const late = () => {
    coming.then(
      (client) => client.release(),
      () => {},
    )
    // pg never answers those who wait in a pool that is ended
    if (pool.ending) return new Error('this call waited for a connection, and met somebody calling end on the pool')
    const message = `The pool had no connection to spare within ${timeoutMs} ms.`
    return new StoreUnavailableError(message, { applied: 'no' })
  }
  const client = await within(timeoutMs, coming, late).catch((error) => {
    throw toStoreError(error)
  })
  let kept = false
  const keep = () => {
    kept = true
  }
  // no getter: V8 would make a hidden class for each object
  const lent = { client, broken: undefined as Error | undefined, keep }
  // without a listener, a connection that breaks between two statements would end the process
  const note = (error: Error) => {
    lent.broken = error
  }
  client.on('error', note)
  try {
    return await use(lent)
  } finally {
    client.off('error', note)
    client.release(!kept)
  }
}

/** Sends a statement on a client of the pool, which stays open after an answer, and after a race that the statement lost. */
function onPool<Client, T>(
  pool: PostgresPool<Client>,
  timeoutMs: number,
  send: (db: PostgresQueryable) => Promise<T>,
): Promise<T> {
  return onClient(pool, timeoutMs, async ({ client, keep }) => {
    const value = await answered(timeoutMs, send(client)).catch((error) => {
      // the server rolled back the statement, but not a transaction that somebody left open
      if (raceIn(error) && isOutside(client)) keep()
      throw error
    })
    keep()
    return value
  })
}

type Send = <T>(send: (db: PostgresQueryable) => Promise<T>) => Promise<T>

/** Returns the function that sends statements: by clients of a pool, by a PGlite, by a wrapper, or by one client. */
export function sender<Client>(database: PostgresDatabase<Client>, timeoutMs: number): Send {
  if (isPool(database)) return (send) => onPool(database, timeoutMs, send)
  if (isEmbedded(database)) return (send) => send(database)
  const bounded: Send = (send) => answered(timeoutMs, send(database))
  return takesOwnQueries(database) ? oneByOne(bounded) : bounded
}

/** A client of pg warns of a statement that comes while another is in flight, and pg 9 will refuse it. */
function oneByOne(send: Send): Send {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const answer = last.then(() => send(work))
    last = answer.catch(() => {})
    return answer
  }
}

/** Runs a statement, and gives the replies that it makes. `prepare`: under its name, where the driver is pg. */
export async function ask<Reply>(
  db: PostgresQueryable,
  { name, text }: Statement,
  values: unknown[],
  prepare = false,
): Promise<Reply[]> {
  const answer = await send(db, prepare ? name : undefined, text, values)
  const { rows } = Object(answer)
  if (!Array.isArray(rows)) throw new StoreMisconfiguredError(`${NOT_PG} ${describeKind(answer)}.`)
  return (rows as { readonly reply: unknown }[]).map(({ reply }) => JSON.parse(String(reply)) as Reply)
}

const NOT_PG =
  'Give the store the pg.Pool or the client of pg that is below your ORM (docs/orms.md), or a wrapper of them. This one has a query() ' +
  'that does not answer with { rows } as that of pg does, but with'

function send(db: PostgresQueryable, name: string | undefined, text: string, values: unknown[]) {
  if (takesOwnQueries(db)) return sendOwn(db, name, text, values, unparsed)
  // members that are always the same, and none is spread: each object would else have a hidden class of its own
  return isPg(db) ? db.query({ name, text, values, types: unparsed }) : db.query(text, values)
}

/** The answer of a statement; later than `timeoutMs` it is unknown. */
export function answered<T>(timeoutMs: number, answer: Promise<T>): Promise<T> {
  const late = () =>
    new StoreUnavailableError(`PostgreSQL gave no answer within ${timeoutMs} ms.`, { applied: 'unknown' })
  return within(timeoutMs, answer, late)
}
