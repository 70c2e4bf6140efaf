/** Stores on real servers, each on a table of its own. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { StoreHarness } from '@retryproof/conformance'
import mysql from 'mysql2/promise'
import { test } from 'vitest'
import { type Service, services } from '../../../scripts/services.mjs'
import { type MysqlConnection, type MysqlPool, type MysqlStoreOptions, migrate, mysqlStore } from '../src/index.ts'

export { claim, completed, HOUR_MS } from '@retryproof/conformance/test-tools/records'

/** Declares tests for each server of the run; for one that cannot be had, a test that is skipped says so. */
export async function onEachServer(declare: (server: Service) => void): Promise<void> {
  for (const server of await services('mysql')) {
    if (server.missing) test.skip(`${server.title}: ${server.missing}`)
    else declare(server)
  }
}

export const freshTable = (): string => `t_${randomBytes(6).toString('hex')}`

export interface Settings {
  readonly pool?: mysql.PoolOptions
  /** Statements that each connection starts with. */
  readonly session?: readonly string[]
}

export function connect(url: string, { pool: options = {}, session = [] }: Settings = {}): mysql.Pool {
  const pool = mysql.createPool({ uri: url, connectionLimit: 16, ...options })
  pool.pool.on('connection', (connection) => {
    for (const statement of session) connection.query(statement)
  })
  return pool
}

/** A harness for the suite: each store has a pool of its own, through which the suite may put a proxy. */
export function harnessOf(url: string, settings: Settings = {}, options: StoreOptions = {}) {
  const table = freshTable()
  const pools = new Map<unknown, mysql.Pool>()
  let migrated: Promise<void> | undefined

  async function open(at: string, now?: () => number) {
    migrated ??= create()
    await migrated
    const pool = connect(at, settings)
    const store = mysqlStore({ pool, table, ...options, ...(now && { now }) })
    pools.set(store, pool)
    return store
  }

  async function create(): Promise<void> {
    const pool = connect(url, settings)
    await migrate({ pool, table })
    await pool.end()
  }

  const { hostname: host, port } = new URL(url)
  const at = (address: { host: string; port: number }) => Object.assign(new URL(url), { ...address }).href
  return {
    open: ({ now }) => open(url, now),
    close: async (store) => pools.get(store)?.end(),
    unreachable: () => mysqlStore({ pool: connect('mysql://127.0.0.1:1/none') }),
    server: { host, port: Number(port), open: (address, { now }) => open(at(address), now) },
  } satisfies StoreHarness<mysql.PoolConnection>
}

type StoreOptions = Omit<MysqlStoreOptions<mysql.PoolConnection>, 'pool' | 'table'>

/** A store on a new table, and the pool below it. */
export async function storeAt(url: string, settings: Settings = {}, options: StoreOptions = {}) {
  const table = freshTable()
  const pool = connect(url, settings)
  await migrate({ pool, table })
  const store = mysqlStore({ pool, table, ...options })
  return { store, pool, table, [Symbol.asyncDispose]: () => pool.end() }
}

/** A pool that does what `send` makes of each statement, on real connections. */
export function poolThat(
  pool: mysql.Pool,
  send: (
    statement: string,
    next: (statement?: string) => ReturnType<MysqlConnection['query']>,
  ) => ReturnType<MysqlConnection['query']>,
): MysqlPool {
  return {
    async getConnection() {
      const connection = await pool.getConnection()
      return {
        query: (options) =>
          send(options.sql, (statement = options.sql) => connection.query({ ...options, sql: statement })),
        release: () => connection.release(),
        destroy: () => connection.destroy(),
      }
    },
  }
}

/** The rows of a statement. */
export async function rowsOf(pool: Pick<mysql.Pool, 'query'>, statement: string): Promise<mysql.RowDataPacket[]> {
  const [rows] = await pool.query<mysql.RowDataPacket[]>(statement)
  return rows
}

/** Resolves when a statement on `table` waits for a lock. */
export async function waitingFor(pool: mysql.Pool, table: string): Promise<void> {
  for (;;) {
    const [row] = await rowsOf(
      pool,
      `SELECT COUNT(*) AS waiting FROM information_schema.innodb_trx
       WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE '%\`${table}\`%'`,
    )
    if (row?.waiting > 0) return
    // asked again within 100 ms, InnoDB repeats its last answer
    await sleep(110)
  }
}
