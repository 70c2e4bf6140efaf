import { migrate, postgresStore } from '@retryproof/postgres'
import { lruCache, tieredStore } from '@retryproof/tiered'
import pg from 'pg'
import type { Counters } from '../full-load.ts'
import { type Driver, Held, type Json, LEASE_MS, type Opened, RETENTION_MS, Reused } from '../subject.ts'
import { fingerprintOf } from './floor.ts'
import { over } from './ours.ts'

const CREATE = `CREATE TABLE IF NOT EXISTS by_hand (key text PRIMARY KEY, token bigint NOT NULL, fingerprint text NOT NULL,
  until timestamptz NOT NULL, result text)`
const CLAIM = `WITH claimed AS (
  INSERT INTO by_hand AS old (key, token, fingerprint, until) VALUES ($1, 1, $2, now() + $3 * interval '1 ms')
  ON CONFLICT (key) DO UPDATE SET token = old.token + 1, fingerprint = $2, until = now() + $3 * interval '1 ms', result = NULL
    WHERE old.until <= now()
  RETURNING token)
SELECT token, NULL AS fingerprint, NULL AS result FROM claimed
UNION ALL SELECT NULL, fingerprint, result FROM by_hand WHERE key = $1 AND NOT EXISTS (SELECT FROM claimed)`
const COMPLETE = `UPDATE by_hand SET result = $3, until = now() + $4 * interval '1 ms' WHERE key = $1 AND token = $2`

interface Row {
  readonly token: string | null
  readonly fingerprint: string
  readonly result: string | null
}

/** One statement that claims or reads, one that completes only what is still held. */
async function byHand(pool: pg.Pool): Promise<Opened> {
  await pool.query(CREATE)
  return {
    async run(key, payload, work) {
      const fingerprint = fingerprintOf(payload)
      const { rows } = await pool.query<Row>({ name: 'claim', text: CLAIM, values: [key, fingerprint, LEASE_MS] })
      const [row] = rows
      if (!row) throw new Held('Another claim came between.')
      if (row.token === null) {
        if (row.fingerprint !== fingerprint) throw new Reused('The key was used for another payload.')
        if (row.result === null) throw new Held('The key is held.')
        return JSON.parse(row.result) as Json
      }
      const value = await work()
      const values = [key, row.token, JSON.stringify(value), RETENTION_MS]
      const { rowCount } = await pool.query({ name: 'complete', text: COMPLETE, values })
      if (rowCount !== 1) throw new Held('The lease was lost.')
      return value
    },
    close: () => pool.end(),
  }
}

async function ours(pool: pg.Pool, isCached = false): Promise<Opened> {
  await migrate({ pool })
  const durable = postgresStore({ pool })
  return over(isCached ? tieredStore({ cache: lruCache(), durable }) : durable, () => pool.end())
}

export function postgres(connectionString: string): Driver {
  const newPool = () => new pg.Pool({ connectionString, max: 10 })
  return {
    name: 'postgres',
    isLocal: false,
    subjects: [
      { kind: 'floor', name: 'two statements, pool of 10', open: () => byHand(newPool()) },
      { kind: 'ours', name: 'Retryproof', open: () => ours(newPool()) },
      { kind: 'ours', name: 'Retryproof behind lruCache', open: () => ours(newPool(), true) },
    ],
  }
}

const COUNTED = `SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS wal, pg_total_relation_size('retryproof') AS bytes, n_live_tup AS records,
  n_tup_upd AS updates, n_tup_hot_upd AS hot, n_dead_tup AS dead FROM pg_stat_user_tables WHERE relname = 'retryproof'`

/** WAL, updates that touch no index, and the size of the table: what a long run costs beside its time. */
export function postgresCounters(connectionString: string): Counters {
  const pool = new pg.Pool({ connectionString, max: 1 })
  let before: Readonly<Record<string, string>> = {}
  return async (calls) => {
    const { rows } = await pool.query<Record<string, string>>(COUNTED)
    const [now = {}] = rows
    const since = (name: string) => Number(now[name]) - Number(before[name] ?? 0)
    const hot = ((100 * since('hot')) / since('updates')).toFixed(0)
    const size = (Number(now.bytes) / Number(now.records)).toFixed(0)
    const text = `WAL ${(since('wal') / calls).toFixed(0)} bytes a call, HOT ${hot} %, ${size} bytes a record, ${now.dead} dead rows`
    before = now
    return text
  }
}
