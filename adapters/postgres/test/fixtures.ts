/** Stores on real servers: each test file has a database of its own, and each store a table. */
import { randomBytes } from 'node:crypto'
import { PGlite, type Transaction } from '@electric-sql/pglite'
import type { StoreHarness } from '@retryproof/conformance'
import pg from 'pg'
import { afterAll } from 'vitest'
import { migrate, postgresStore } from '../src/index.ts'

export { bytes, claim, completed, HOUR_MS } from '@retryproof/conformance/test-tools/records'

const fresh = (prefix: string): string => `${prefix}_${randomBytes(6).toString('hex')}`
export const freshTable = (): string => fresh('t')

interface Settings {
  readonly partitions?: number
  readonly prepare?: boolean
  readonly batch?: boolean
  readonly watch?: boolean
}

/** The URL of a new database on a server, which is dropped after the file; `isolation` is the default of its sessions. */
export async function freshDatabase(url: string, isolation?: 'repeatable read' | 'serializable'): Promise<string> {
  const name = fresh('retryproof')
  await once(url, `CREATE DATABASE ${name}`)
  if (isolation) await once(url, `ALTER DATABASE ${name} SET default_transaction_isolation = '${isolation}'`)
  afterAll(() => once(url, `DROP DATABASE ${name} WITH (FORCE)`))
  return Object.assign(new URL(url), { pathname: `/${name}` }).href
}

async function once(url: string, statement: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(statement)
  await client.end()
}

/** A pool that outlives connections that are cut while they are idle. */
export function connect(connectionString: string, config: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString, ...config })
  pool.on('error', () => {})
  return pool
}

/** A harness for the suite: each store has a pool of its own, through which the suite may put a proxy. */
export function harnessOf(url: string, { partitions, prepare = true, batch = true, watch = false }: Settings = {}) {
  const table = freshTable()
  const pools = new Map<unknown, pg.Pool>()
  let migrated: Promise<void> | undefined

  async function open(from: string, now?: () => number) {
    migrated ??= create()
    await migrated
    const pool = connect(from, { max: 16 })
    const store = postgresStore({ pool, table, prepare, batch, ...(watch && { watch: pool }), ...(now && { now }) })
    pools.set(store, pool)
    return store
  }

  async function create(): Promise<void> {
    const pool = connect(url)
    await migrate({ pool, table, ...(partitions && { partitions }) })
    await pool.end()
  }

  const { hostname: host, port } = new URL(url)
  const at = (address: { host: string; port: number }) =>
    Object.assign(new URL(url), { host: `${address.host}:${address.port}` }).href
  return {
    open: ({ now }) => open(url, now),
    close: async (store) => pools.get(store)?.end(),
    unreachable: () => postgresStore({ pool: connect('postgres://postgres@127.0.0.1:1/none') }),
    server: { host, port: Number(port), open: (address, { now }) => open(at(address), now) },
  } satisfies StoreHarness<pg.PoolClient>
}

/** A harness on a PGlite: one database in this process, on one connection that all stores share. */
export function embedded() {
  const database = PGlite.create().then(async (pool) => {
    await migrate({ pool })
    return pool
  })
  return {
    open: async ({ now }) => postgresStore({ pool: await database, ...(now && { now }) }),
    async unreachable() {
      const pool = await PGlite.create()
      await pool.close()
      return postgresStore({ pool })
    },
  } satisfies StoreHarness<Transaction>
}

/** A store on a new table, and the pool below it. */
export async function storeAt(
  url: string,
  { partitions, prepare = true, watch = false, ...config }: Settings & pg.PoolConfig = {},
) {
  const table = freshTable()
  const pool = connect(url, config)
  await migrate({ pool, table, ...(partitions && { partitions }) })
  return { store: postgresStore({ pool, table, prepare, ...(watch && { watch: pool }) }), pool, table }
}

/** Resolves when a statement on `table` waits for a lock. */
export async function someoneWaits(pool: pg.Pool, table: string): Promise<void> {
  const blocked = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1"
  for (;;) if ((await pool.query(blocked, [`%"${table}"%`])).rowCount) return
}
