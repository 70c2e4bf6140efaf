/** Measures a record on disk, beside a table that one would write by hand. */
import { createHash, randomBytes } from 'node:crypto'
import type pg from 'pg'
import { describe, expect, test } from 'vitest'
import { services } from '../../../scripts/services.mjs'
import { freshDatabase, freshTable, HOUR_MS, storeAt } from './fixtures.ts'

const RECORDS = 2000
const digest = (text: string): string => createHash('sha256').update(text).digest('hex')
const keyOf = (i: number): string => `payments.post-orders-id-refunds.${digest(`key ${i}`)}`
const fingerprintOf = (i: number): string => digest(`payload ${i}`)

for (const { title, url: server } of await services('postgres')) {
  const url = await freshDatabase(server)
  describe(`disk space on ${title}`, () => {
    async function bytesPerRecord(pool: pg.Pool, table: string): Promise<number> {
      await pool.query(`VACUUM ${table}`)
      const { rows } = await pool.query('SELECT pg_total_relation_size($1::regclass)::int AS bytes', [table])
      return rows[0].bytes / RECORDS
    }

    /** As autovacuum does, at the same records for both tables: it makes the room of old versions free for new records. */
    async function vacuumSometimes(pool: pg.Pool, table: string, i: number): Promise<void> {
      if (i % 250 === 249) await pool.query(`VACUUM ${table}`)
    }

    test('a record with a result of 1 KiB takes within 5 % of a hand-written table', { timeout: 60_000 }, async () => {
      const { store, pool, table } = await storeAt(url)
      await pool.query(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`)
      for (let i = 0; i < RECORDS; i++) {
        const owner = randomBytes(16).toString('hex')
        const { token } = await store.begin(keyOf(i), {
          owner,
          fingerprint: fingerprintOf(i),
          leaseMs: 30_000,
          retentionMs: HOUR_MS,
        })
        await store.transition(keyOf(i), token, { to: 'completed', result: randomBytes(1024), retentionMs: HOUR_MS })
        await vacuumSometimes(pool, table, i)
      }
      const ours = await bytesPerRecord(pool, table)

      const hand = freshTable()
      await pool.query(`
        CREATE TABLE ${hand} (
          key text PRIMARY KEY, fingerprint text NOT NULL, owner text NOT NULL, status text NOT NULL, response bytea,
          locked_until timestamptz NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz NOT NULL
        ) WITH (autovacuum_enabled = off);
        CREATE INDEX ON ${hand} (expires_at)`)
      for (let i = 0; i < RECORDS; i++) {
        await pool.query(
          `INSERT INTO ${hand} (key, fingerprint, owner, status, locked_until, expires_at)
          VALUES ($1, $2, $3, 'in_progress', now() + interval '30 s', now() + interval '1 h')`,
          [keyOf(i), fingerprintOf(i), randomBytes(16).toString('hex')],
        )
        await pool.query(
          `UPDATE ${hand} SET status = 'completed', response = $2, expires_at = now() + interval '1 h' WHERE key = $1`,
          [keyOf(i), randomBytes(1024)],
        )
        await vacuumSometimes(pool, hand, i)
      }
      const written = await bytesPerRecord(pool, hand)
      process.stdout.write(`bytes per record: ${ours.toFixed(0)}, hand-written ${written.toFixed(0)} (${title})\n`)
      await pool.end()
      expect(ours / written).toBeLessThanOrEqual(1.05)
    })
  })
}
