/** PostgreSQL with a synchronous replica that streams. */
import { migrate, postgresStore } from '@retryproof/postgres'
import pg from 'pg'
import { type OwnNode, startService } from '../../../scripts/services.mjs'
import type { Servers } from './failover-drill.ts'
import { openForwarder } from './forwarder.ts'

export async function startPostgresPair(): Promise<Servers<pg.PoolClient>> {
  const service = await startService('postgres-replica', { durable: true })
  const [primary, replica] = service.nodes as [OwnNode, OwnNode]
  // a session of the operator writes whatever the default is
  const operator = new pg.Pool({ connectionString: primary.url, options: '-c default_transaction_read_only=off' })
  const successor = new pg.Pool({ connectionString: replica.url })
  for (const pool of [operator, successor]) pool.on('error', () => {})
  await migrate({ pool: operator })
  await operator.query('CREATE TABLE orders (key text)')
  const forwarder = await openForwarder(primary.url)
  return {
    async open() {
      const pool = new pg.Pool({ connectionString: forwarder.url, max: 8, connectionTimeoutMillis: 2_000 })
      pool.on('error', () => {})
      return {
        store: postgresStore({ pool }),
        insertOrder: (tx, key) => tx.query('INSERT INTO orders VALUES ($1)', [key]),
        end: () => pool.end(),
      }
    },
    async demote() {
      await operator.query('ALTER SYSTEM SET default_transaction_read_only = on')
      await operator.query('SELECT pg_reload_conf()')
    },
    async promote() {
      await successor.query('SELECT pg_promote(true)')
      forwarder.leadTo(replica.url)
    },
    kill: () => primary.kill(),
    async orders() {
      const { rows } = await successor.query('SELECT key, count(*)::int AS times FROM orders GROUP BY key')
      return new Map(rows.map(({ key, times }) => [key, times]))
    },
    async stop() {
      await forwarder.close()
      await successor.end()
      await operator.end().catch(() => {})
      await service.stop()
    },
  }
}
