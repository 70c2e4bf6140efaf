/** What a store needs of a driver, typed by use: a pg.Pool, a pg.Client, a PGlite, or a wrapper of one. */
import { StoreUnavailableError } from '@retryproof/core'

/** Anything that runs a statement: a pool, a client, an open transaction. */
export interface Queryable {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: unknown[]; readonly command?: string }>
}

/** A pg.Pool. */
export interface Pool<Client> extends Queryable {
  readonly totalCount: number
  connect(): Promise<Client>
  connect(callback: (error: never, client: never, done: never) => void): void
}

/** A PGlite: a database inside of this process, with one connection. */
export interface Embedded<Tx> extends Queryable {
  exec(script: string): Promise<unknown>
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>
}

export type Database<Tx> = Queryable | Pool<Tx> | Embedded<Tx>

/** A client of a pool; `release(true)` closes its connection. */
export interface PoolClient extends Queryable {
  on(event: 'error', listener: () => void): unknown
  on(event: 'notification', listener: (message: { channel: string; payload?: string | undefined }) => void): unknown
  off(event: 'error', listener: () => void): unknown
  release(destroy?: boolean): void
}

interface Pg {
  query(config: Statement & { values: unknown[]; types: typeof unparsed }): ReturnType<Queryable['query']>
}

const unparsed = { getTypeParser: () => (value: unknown) => value }

export const isPool = <Tx>(database: Database<Tx>): database is Pool<Tx> => 'totalCount' in database
export const isEmbedded = <Tx>(database: Database<Tx>): database is Embedded<Tx> => 'exec' in database
/** Pools and clients of pg, and what wraps them, connect; they take a statement as one object. */
const isPg = (db: Queryable): db is Queryable & Pg => 'connect' in db

/** @throws StoreUnavailableError where the driver knows that no transaction is open: each statement would commit by itself */
export function requireTransaction(tx: Queryable & { getTransactionStatus?(): string | null }): void {
  if (tx.getTransactionStatus?.() !== 'I') return
  throw new StoreUnavailableError('No transaction is open on this client: say BEGIN first.', { applied: 'no' })
}

/** Runs a statement, and gives the replies that it makes. `prepare`: under its name, where the driver is pg. */
export async function ask<Reply>(
  db: Queryable,
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
