import { randomBytes } from 'node:crypto'
import { migrate, mysqlStore } from '@retryproof/mysql'
import mysql from 'mysql2/promise'
import type { StoreHarness } from '../../src/store/harness.ts'

/** Stores on a table of their own whose statements are changed on their way to the server. */
export function weakenedMysql(url: string, weaken: (sql: string) => string): StoreHarness<mysql.PoolConnection> {
  const table = `weakened_${randomBytes(6).toString('hex')}`
  const pools = new Map<unknown, mysql.Pool>()
  let migrated: Promise<void> | undefined

  function connect(): { pool: mysql.Pool; weakened: mysql.Pool } {
    const pool = mysql.createPool({ uri: url, connectionLimit: 4 })
    const weakened = {
      async getConnection() {
        const connection = await pool.getConnection()
        return {
          query: (options: { sql: string }) => connection.query({ ...options, sql: weaken(options.sql) }),
          release: () => connection.release(),
          destroy: () => connection.destroy(),
        }
      },
    }
    return { pool, weakened: weakened as unknown as mysql.Pool }
  }
  async function create(): Promise<void> {
    const { pool, weakened } = connect()
    await migrate({ pool: weakened, table })
    await pool.end()
  }
  return {
    async open({ now }) {
      migrated ??= create()
      await migrated
      const { pool, weakened } = connect()
      const store = mysqlStore({ pool: weakened, table, ...(now && { now }) })
      pools.set(store, pool)
      return store
    },
    close: (store) => pools.get(store)?.end(),
  }
}
