/** Pools and connections of mysql2, typed by use. */
import { describeKind } from '@retryproof/core/internal'
import { IdempotencyInvalidOptionError } from '@retryproof/core/store'

/** A connection of mysql2/promise, or a transaction of a wrapper that takes the same. */
export interface MysqlConnection {
  query(options: { sql: string } & typeof pinned): Promise<readonly [unknown, ...unknown[]]>
}

/** A connection of a pool. */
export interface MysqlPoolConnection extends MysqlConnection {
  release(): void
  destroy(): void
}

export interface MysqlPool<Connection extends MysqlPoolConnection = MysqlPoolConnection> {
  getConnection(): Promise<Connection>
}

/** A pool or connection of mysql2's callback API. */
export interface WithPromise<T> {
  promise(): T
}

/**
 * Rows are objects, and values as mysql2 makes them by itself, whatever the settings of the pool are. Without `values: null`
 * mysql2 would look for placeholders in each character of a statement.
 */
export const pinned = {
  values: null,
  rowsAsArray: false,
  nestTables: false,
  namedPlaceholders: false,
  typeCast: (_field: unknown, next: () => unknown): unknown => next(),
} as const

/** The promise API of a pool or a connection. */
export function promised<T>(driver: T | WithPromise<T>): T {
  return typeof (driver as Partial<WithPromise<T>> | undefined)?.promise === 'function'
    ? (driver as WithPromise<T>).promise()
    : (driver as T)
}

/**
 * The promise API of a pool.
 *
 * @throws IdempotencyInvalidOptionError where it gives no connections as mysql2 does
 */
export function promisedPool<Connection extends MysqlPoolConnection>(
  given: MysqlPool<Connection> | WithPromise<MysqlPool<Connection>>,
): MysqlPool<Connection> {
  const pool = promised(given)
  const kind = typeof Object(pool).getConnection === 'function' ? describeOther(pool) : describeKind(pool)
  if (kind === undefined) return pool
  throw new IdempotencyInvalidOptionError('pool', `must be a pool of mysql2, got ${kind}`)
}

/** Pools that would call back what they were not given, and so end the process. */
function describeOther(pool: object): string | undefined {
  if (/^Pool(Cluster|Namespace)$/.test(pool.constructor?.name))
    return 'a cluster of its callback API: take createPoolCluster of mysql2/promise'
  return 'acquireConnection' in pool ? 'one of mysql' : undefined
}

/** Settings of a pool of mysql2, undefined where a wrapper hides them. `core` stands for the pool, whichever API it has. */
export function settingsOf(pool: object): {
  readonly core: object
  readonly connections: number | undefined
  readonly database: string | undefined
} {
  const core = (pool as { readonly pool?: object }).pool ?? pool
  const { connectionLimit, connectionConfig } = Object(Object(core).config)
  // 0 is without a limit
  return { core, connections: connectionLimit || undefined, database: Object(connectionConfig).database || undefined }
}
