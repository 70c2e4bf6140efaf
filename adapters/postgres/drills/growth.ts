/**
 * Fills a table, and measures the latency of one caller at each size while a purge runs beside it.
 *
 *     node --import tsx adapters/postgres/drills/growth.ts [records …]
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { startService } from '../../../scripts/services.mjs'
import { migrate, postgresStore } from '../src/index.ts'

const HOUR_MS = 3_600_000
const CALLS = 1_000
const EXPIRED = 5_000
const RESULT = new Uint8Array(256).fill(7)

export interface Growth {
  readonly records: number
  /** In milliseconds: the median and the 99th percentile of a fresh call (begin and settle), and of a replay. */
  readonly fresh: readonly [median: number, p99: number]
  readonly replay: readonly [median: number, p99: number]
  readonly purged: number
  readonly bytesPerRecord: number
}

/** Sizes rise. Of the records that are added at each, 5,000 have expired: so many are purged while calls are measured. */
export async function growthDrill(sizes: readonly number[], calls = CALLS): Promise<readonly Growth[]> {
  const server = await startService('postgres', { durable: true, args: ['max_wal_size=4GB'] })
  const pool = new pg.Pool({ connectionString: server.url, max: 4 })
  try {
    await migrate({ pool })
    const store = postgresStore({ pool })
    const claim = () => ({ owner: randomUUID(), fingerprint: 'f', leaseMs: 30_000, retentionMs: 24 * HOUR_MS })
    const found: Growth[] = []
    let filled = 0
    for (const records of sizes) {
      const firstLive = filled + EXPIRED
      await pool.query(FILL, [filled, records - 1, firstLive])
      await pool.query('VACUUM ANALYZE retryproof')
      filled = records

      let purged = 0
      let running = true
      const purging = (async () => {
        while (running) {
          purged += await store.purge({ limit: 100, graceMs: 0 })
          await sleep(50)
        }
      })()
      const fresh = await latencies(calls, async () => {
        const key = `growth.fresh.${randomUUID()}`
        const { token } = await store.begin(key, claim())
        await store.transition(key, token, { to: 'completed', result: RESULT, retentionMs: 24 * HOUR_MS })
      })
      const replay = await latencies(calls, async (index) => {
        const number = firstLive + Math.floor((index * (records - firstLive)) / calls)
        const { outcome } = await store.begin(`growth.drill.${number}`, claim())
        if (outcome !== 'settled') throw new Error(`growth.drill.${number} is ${outcome}`)
      })
      running = false
      await purging
      const { rows } = await pool.query("SELECT pg_total_relation_size('retryproof')::float8 AS bytes")
      found.push({ records, fresh, replay, purged, bytesPerRecord: Math.round(rows[0].bytes / records) })
    }
    return found
  } finally {
    await pool.end()
    await server.stop()
  }
}

const FILL = `
INSERT INTO retryproof (k, token, owner, fingerprint, state, attempt, interrupted, lease_until, expires_at, result)
SELECT 'growth.drill.' || i, now - 3600000000, 'owner', 'f', 'completed', 1, false, now,
  CASE WHEN i < $3::bigint THEN now - 60000000 ELSE now + 3600000000 + i % 82800 * 1000000::bigint END, decode(repeat('07', 256), 'hex')
FROM generate_series($1::bigint, $2::bigint) i, (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now) n`

async function latencies(calls: number, call: (index: number) => Promise<void>) {
  const taken: number[] = []
  for (let index = 0; index < calls; index++) {
    const start = performance.now()
    await call(index)
    taken.push(performance.now() - start)
  }
  taken.sort((one, other) => one - other)
  const at = (part: number) => Number((taken[Math.floor(taken.length * part)] ?? 0).toFixed(2))
  return [at(0.5), at(0.99)] as const
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const sizes = process.argv.slice(2).map(Number)
  process.stdout.write(
    `${JSON.stringify(await growthDrill(sizes.length > 0 ? sizes : [10_000, 1_000_000]), null, 2)}\n`,
  )
}
