import { migrate, postgresStore } from '@retryproof/postgres'
import { lruCache, tieredStore } from '@retryproof/tiered'
import pg from 'pg'
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
