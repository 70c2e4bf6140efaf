/** Measures a record on disk, beside a table that one would write by hand. */
import { createHash, randomBytes } from 'node:crypto'
import type mysql from 'mysql2/promise'
import { expect, test } from 'vitest'
import { freshTable, HOUR_MS, onEachServer, rowsOf, storeAt } from './fixtures.ts'

const RECORDS = 1000
const digest = (text: string): string => createHash('sha256').update(text).digest('hex')
const keyOf = (n: number): string => `payments.post-orders-id-refunds.${digest(`key ${n}`)}`

await onEachServer(({ title, url }) =>
  test(`a record with a result of 1 KiB takes within 5 % of a hand-written table (${title})`, {
    timeout: 120_000,
  }, async () => {
    await using fixture = await storeAt(url)
    const { store, pool, table } = fixture
    const hand = freshTable()
    await pool.query(`CREATE TABLE ${hand} (
      idempotency_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
      fingerprint VARCHAR(64) CHARACTER SET ascii NOT NULL, owner VARCHAR(64) CHARACTER SET ascii NOT NULL,
      status ENUM('in_progress', 'completed', 'failed') NOT NULL, locked_until DATETIME(6) NOT NULL,
      created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), expires_at DATETIME(6) NOT NULL, response LONGBLOB,
      KEY (expires_at)) ENGINE = InnoDB`)
    for (let n = 0; n < RECORDS; n++) {
      const [key, fingerprint, owner] = [keyOf(n), digest(`payload ${n}`), randomBytes(16).toString('hex')]
      const { token } = await store.begin(key, { owner, fingerprint, leaseMs: 30_000, retentionMs: HOUR_MS })
      await store.transition(key, token, { to: 'completed', result: randomBytes(1024), retentionMs: HOUR_MS })
      await pool.query(
        `INSERT INTO ${hand} (idempotency_key, fingerprint, owner, status, locked_until, expires_at)
         VALUES (?, ?, ?, 'in_progress', NOW(6) + INTERVAL 30 SECOND, NOW(6) + INTERVAL 1 HOUR)`,
        [key, fingerprint, owner],
      )
      await pool.query(
        `UPDATE ${hand} SET status = 'completed', response = ?, expires_at = NOW(6) + INTERVAL 1 HOUR WHERE idempotency_key = ?`,
        [randomBytes(1024), key],
      )
    }
    const [ours, written] = [await bytesPerRecord(pool, table), await bytesPerRecord(pool, hand)]
    await pool.query(`DROP TABLE ${table}, ${hand}`)
    process.stdout.write(`bytes per record: ${ours.toFixed(0)}, hand-written ${written.toFixed(0)} (${title})\n`)
    expect(ours / written).toBeLessThanOrEqual(1.05)
  }),
)

/** Counts the pages that are in use: the files grow by a megabyte at a time. */
async function bytesPerRecord(pool: mysql.Pool, table: string): Promise<number> {
  await pool.query(`ANALYZE TABLE ${table}`)
  const [pages] = await rowsOf(
    pool,
    `SELECT SUM(stat_value) * @@innodb_page_size AS bytes FROM mysql.innodb_index_stats
     WHERE table_name = '${table}' AND stat_name = 'n_leaf_pages'`,
  )
  return Number(pages?.bytes) / RECORDS
}
