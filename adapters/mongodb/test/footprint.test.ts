/** Measures a record on disk, beside a document that one would write by hand. */
import { createHash, randomBytes } from 'node:crypto'
import { Binary, type Collection, type Document } from 'mongodb'
import { describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { mongodbStore } from '../src/index.ts'
import { claimOf, connect, databaseOf, migrated } from './fixtures.ts'

const RECORDS = 1000
const HOUR_MS = 3_600_000
const digest = (text: string): string => createHash('sha256').update(text).digest('hex')
const keyOf = (n: number): string => `payments.post-orders-id-refunds.${digest(`key ${n}`)}`

const mongodb = await service('mongodb')

describe.skipIf(mongodb.missing)(`disk space on ${mongodb.title}`, () => {
  test('a record with a result of 1 KiB takes within 5 % of a hand-written document', {
    timeout: 120_000,
  }, async () => {
    const client = connect(mongodb.url)
    const collection = await migrated(client)
    const store = mongodbStore({ collection })
    const byHand = databaseOf(client).collection<Document & { _id: string }>(`${collection.collectionName}_by_hand`)
    await byHand.createIndex({ expiresAt: 1 }, { expireAfterSeconds: 0 })
    for (let n = 0; n < RECORDS; n++) {
      const [owner, fingerprint] = [randomBytes(16).toString('hex'), digest(`payload ${n}`)]
      const { token } = await store.begin(keyOf(n), claimOf(owner, { fingerprint }))
      await store.transition(keyOf(n), token, { to: 'completed', result: randomBytes(1024), retentionMs: HOUR_MS })
      const [createdAt, expiresAt] = [new Date(), new Date(Date.now() + HOUR_MS)]
      const lock = { fingerprint, owner, status: 'in_progress', lockedUntil: createdAt, createdAt, expiresAt }
      await byHand.insertOne({ _id: keyOf(n), ...lock })
      const response = new Binary(randomBytes(1024))
      await byHand.updateOne({ _id: keyOf(n) }, { $set: { status: 'completed', response, expiresAt } })
    }
    const [ours, written] = [await bytesPerRecord(collection), await bytesPerRecord(byHand)]
    await collection.drop()
    await byHand.drop()
    await client.close()
    process.stdout.write(`bytes per record: ${ours.toFixed(0)}, hand-written ${written.toFixed(0)}\n`)
    expect(ours / written).toBeLessThanOrEqual(1.05)
  })
})

/** The documents before compression. The pages of indexes are counted at checkpoints, so that they would not be sure. */
async function bytesPerRecord(collection: Collection<Document & { _id: string }>): Promise<number> {
  const [stats] = await collection
    .aggregate<{ storageStats: { size: number } }>([{ $collStats: { storageStats: {} } }])
    .toArray()
  return (stats?.storageStats.size ?? 0) / RECORDS
}
