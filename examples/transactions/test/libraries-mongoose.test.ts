/** Mongoose models in a session: one that the store opened, or one that Mongoose did. */
import { randomBytes } from 'node:crypto'
import { migrate, mongodbStore } from '@retryproof/mongodb'
import mongoose from 'mongoose'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { proveHandedOut, proveJoined } from './libraries-proof.ts'

const mongodb = await service('mongodb')

describe.skipIf(mongodb.missing)(`Mongoose on ${mongodb.title}`, { timeout: 60_000 }, () => {
  const dbName = `shop_${randomBytes(6).toString('hex')}`
  const connection = mongoose.createConnection()
  const Payment = connection.model('Payment', new mongoose.Schema({ key: { type: String, required: true } }))
  const records = () => connection.getClient().db(dbName).collection<{ _id: string }>('records')
  const shop = () => ({
    store: mongodbStore({ collection: records() }),
    paid: (key: string) => Payment.countDocuments({ key }).exec(),
  })
  beforeAll(async () => {
    await connection.openUri(mongodb.url, { dbName })
    await migrate({ collection: records() })
    await Payment.createCollection()
  }, 60_000)
  afterAll(async () => {
    await connection.dropDatabase()
    await connection.close()
  })

  test.each(['fenced', 'single'] as const)('in the session of the transaction, %s: both commit, or neither', (mode) =>
    proveHandedOut(shop(), mode, (session) => Payment.create([{ key: mode }], { session }), mode),
  )

  test('in a transaction that Mongoose opened: both commit, or neither', () =>
    proveJoined(shop(), 'joined', (use) =>
      connection.transaction((session) => use(session, () => Payment.create([{ key: 'joined' }], { session }))),
    ))
})
