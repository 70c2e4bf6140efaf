/** Measures a record on disk, beside a table that one would write by hand. */
import { createHash, randomBytes } from 'node:crypto'
import type Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { migrate, sqliteStore } from '../src/index.ts'
import { claim, HOUR_MS } from './claim.ts'
import { newFile, open } from './support.ts'

const RECORDS = 1000
const digest = (text: string): string => createHash('sha256').update(text).digest('hex')
const keyOf = (n: number): string => `payments.post-orders-id-refunds.${digest(`key ${n}`)}`

test('a record with a result of 1 KiB takes within 5 % of a hand-written table', async () => {
  const database = open(newFile())
  await migrate({ database })
  const store = sqliteStore({ database })
  for (let n = 0; n < RECORDS; n++) {
    const [owner, fingerprint] = [randomBytes(16).toString('hex'), digest(`payload ${n}`)]
    const { token } = await store.begin(keyOf(n), claim({ owner, fingerprint }))
    await store.transition(keyOf(n), token, { to: 'completed', result: randomBytes(1024), retentionMs: HOUR_MS })
  }

  const byHand = open(newFile())
  byHand.exec(`CREATE TABLE by_hand (key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, owner TEXT NOT NULL,
    status TEXT NOT NULL, locked_until INTEGER NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    response BLOB); CREATE INDEX by_hand_expires_at ON by_hand (expires_at)`)
  const begin = byHand.prepare(`INSERT INTO by_hand VALUES (?, ?, ?, 'in_progress', ?, ?, ?, NULL)`)
  const complete = byHand.prepare(`UPDATE by_hand SET status = 'completed', response = ?, expires_at = ? WHERE key = ?`)
  for (let n = 0; n < RECORDS; n++) {
    const now = Date.now()
    begin.run(keyOf(n), digest(`payload ${n}`), randomBytes(16).toString('hex'), now + 30_000, now, now + HOUR_MS)
    complete.run(randomBytes(1024), now + HOUR_MS, keyOf(n))
  }

  const [ours, written] = [bytesPerRecord(database), bytesPerRecord(byHand)]
  process.stdout.write(`bytes per record: ${ours.toFixed(0)}, hand-written ${written.toFixed(0)}\n`)
  expect(ours / written).toBeLessThanOrEqual(1.05)
})

function bytesPerRecord(database: Database.Database): number {
  const [pages, free, size] = ['page_count', 'freelist_count', 'page_size'].map((name) =>
    Number(database.pragma(name, { simple: true })),
  )
  return (((pages ?? 0) - (free ?? 0)) * (size ?? 0)) / RECORDS
}
