import { randomBytes } from 'node:crypto'
import { migrate, postgresStore } from '@retryproof/postgres'
import pg from 'pg'
import type { OpenOptions, StoreHarness } from '../../src/store/harness.ts'

/** Stores on a table of their own whose statements are changed on their way to the server. */
export function weakenedPostgres(
  url: string,
  weaken: (sql: string) => string,
  options: OpenOptions = {},
): StoreHarness<pg.PoolClient> {
  const table = `weakened_${randomBytes(6).toString('hex')}`
  const pools = new Map<unknown, pg.Pool>()
  let migrated: Promise<void> | undefined

  function connect(): pg.Pool {
    const pool = new pg.Pool({ connectionString: url, max: 4 })
    pool.on('error', () => {})
    return pool
  }
  async function create(): Promise<void> {
    const pool = connect()
    await migrate({ pool, table })
    await pool.end()
  }
  return {
    async open({ now }) {
      migrated ??= create()
      await migrated
      const pool = connect()
      pool.on('connect', (client) => {
        const query = client.query.bind(client) as (config: unknown, ...more: unknown[]) => unknown
        const weakened = (config: string | { text: string }, ...more: unknown[]) =>
          query(typeof config === 'string' ? config : { ...config, text: weaken(config.text) }, ...more)
        Object.assign(client, { query: weakened })
      })
      const clock = now ?? options.now
      // the statement for one call is the weakened one
      const store = postgresStore({ pool, table, batch: false, ...(clock && { now: clock }) })
      pools.set(store, pool)
      return store
    },
    close: async (store) => pools.get(store)?.end(),
  }
}
