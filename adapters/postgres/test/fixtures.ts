/** Stores on real servers, each on a table of its own. */
import { randomBytes } from 'node:crypto'
import { PGlite, type Transaction } from '@electric-sql/pglite'
import type { StoreHarness } from '@retryproof/conformance'
import type { Change, Claim } from '@retryproof/core'
import pg from 'pg'
import { migrate, postgresStore } from '../src/index.ts'

export const freshTable = (): string => `t_${randomBytes(6).toString('hex')}`

interface Settings {
  /** The default of the pool's sessions. */
  readonly isolation?: 'repeatable read' | 'serializable'
  readonly partitions?: number
  readonly prepare?: boolean
  readonly watch?: boolean
}

/** A harness for the suite: each store has a pool of its own, through which the suite may put a proxy. */
export function harnessOf(url: string, { isolation, partitions, prepare = true, watch = false }: Settings = {}) {
  const table = freshTable()
  const pools = new Map<unknown, pg.Pool>()
  let migrated: Promise<void> | undefined

  function connect(connectionString: string): pg.Pool {
    const options = isolation && `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`
    const pool = new pg.Pool({ max: 16, connectionString, ...(options && { options }) })
    // a connection that is cut while it is idle
    pool.on('error', () => {})
    return pool
  }

  async function open(connectionString: string, now?: () => number) {
    migrated ??= create()
    await migrated
    const pool = connect(connectionString)
    const store = postgresStore({ pool, table, prepare, ...(watch && { watch: pool }), ...(now && { now }) })
    pools.set(store, pool)
    return store
  }

  async function create(): Promise<void> {
    const pool = connect(url)
    await migrate({ pool, table, ...(partitions && { partitions }) })
    await pool.end()
  }

  const { hostname: host, port } = new URL(url)
  const at = (address: { host: string; port: number }) => Object.assign(new URL(url), { ...address }).href
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
  const pool = new pg.Pool({ ...config, connectionString: url })
  pool.on('error', () => {})
  await migrate({ pool, table, ...(partitions && { partitions }) })
  const store = postgresStore({ pool, table, prepare, ...(watch && { watch: pool }) })
  return { store, pool, table, [Symbol.asyncDispose]: () => pool.end() }
}

export const HOUR_MS = 3_600_000
export const claim = (changes: Partial<Claim> = {}): Claim => ({
  owner: 'one',
  fingerprint: 'f',
  leaseMs: HOUR_MS,
  retentionMs: HOUR_MS,
  ...changes,
})
export const completed = (result: string): Change => ({
  to: 'completed',
  result: Buffer.from(result),
  retentionMs: HOUR_MS,
})

/** Resolves when as many statements on `table` wait for a lock. */
export async function waitingFor(pool: pg.Pool, table: string, count = 1): Promise<void> {
  const blocked =
    "SELECT count(*)::int AS blocked FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1"
  for (;;) {
    const { rows } = await pool.query(blocked, [`%"${table}"%`])
    if (rows[0].blocked >= count) return
  }
}
