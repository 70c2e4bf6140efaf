/** What a store needs of a driver, typed by use: a pg.Pool, a pg.Client, a PGlite, or a wrapper of one. */
import { StoreUnavailableError } from '@retryproof/core/store'

/** Anything that runs a statement: a pool, a client, an open transaction. */
export interface PostgresQueryable {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: unknown[]; readonly command?: string }>
}

/** A pg.Pool. */
export interface PostgresPool<Client> extends PostgresQueryable {
  readonly totalCount: number
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
  on(event: 'error', listener: () => void): unknown
  on(event: 'notification', listener: (message: { channel: string; payload?: string | undefined }) => void): unknown
  off(event: 'error', listener: () => void): unknown
  release(destroy?: boolean): void
}

interface Pg {
  query(config: Statement & { values: unknown[]; types: typeof unparsed }): ReturnType<PostgresQueryable['query']>
}

const unparsed = { getTypeParser: () => (value: unknown) => value }

export const isPool = <Tx>(database: PostgresDatabase<Tx>): database is PostgresPool<Tx> => 'totalCount' in database
export const isEmbedded = <Tx>(database: PostgresDatabase<Tx>): database is PostgresEmbedded<Tx> => 'exec' in database
/** Pools and clients of pg, and what wraps them, connect; they take a statement as one object. */
const isPg = (db: PostgresQueryable): db is PostgresQueryable & Pg => 'connect' in db

/** @throws StoreUnavailableError where the driver knows that no transaction is open: each statement would commit by itself */
export function requireTransaction(tx: PostgresQueryable & { getTransactionStatus?(): string | null }): void {
  if (tx.getTransactionStatus?.() !== 'I') return
  throw new StoreUnavailableError('No transaction is open on this client: say BEGIN first.', { applied: 'no' })
}

/** Runs a statement, and gives the replies that it makes. `prepare`: under its name, where the driver is pg. */
export async function ask<Reply>(
  db: PostgresQueryable,
  { name, text }: Statement,
  values: unknown[],
  prepare = false,
): Promise<Reply[]> {
  const { rows } = isPg(db)
    ? await db.query({ ...(prepare && name ? { name } : {}), text, values, types: unparsed })
    : await db.query(text, values)
  return (rows as { readonly reply: unknown }[]).map(({ reply }) => JSON.parse(String(reply)) as Reply)
}

/** With a name, it may be prepared: no other text has the same, so that stores can share a connection. */
export interface Statement {
  readonly name?: string
  readonly text: string
}
