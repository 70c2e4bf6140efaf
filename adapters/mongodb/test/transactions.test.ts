import { EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { createIdempotency, IdempotencyInvalidOptionError, StoreUnavailableError, unscoped } from '@retryproof/core'
import {
  type ClientSession,
  type Collection,
  type Document,
  type MongoClient,
  MongoNetworkError,
  MongoServerError,
} from 'mongodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { services } from '../../../scripts/services.mjs'
import { type MongodbStore, mongodbStore } from '../src/index.ts'
import { bytes, claimOf, connect, databaseOf, freshKey, migrated } from './fixtures.ts'
import { type Fate, openProxy } from './proxy.ts'

const retentionMs = 3_600_000
const completed = { to: 'completed', result: bytes('result'), retentionMs } as const

for (const { title, url } of await services('mongodb')) {
  describe(`transactions on ${title}`, { timeout: 60_000 }, () => {
    let client: MongoClient
    let records: Collection<Document & { _id: string }>
    let store: MongodbStore<ClientSession>
    let effects: Collection
    beforeAll(async () => {
      client = connect(url)
      records = await migrated(client)
      store = mongodbStore({ collection: records })
      effects = await databaseOf(client).createCollection('effects')
    })
    afterAll(() => client.close())

    /** Runs a store on a client of its own, in front of which each commit has the next fate. */
    async function through(
      fates: Fate[],
      use: (far: MongodbStore<ClientSession>, farClient: MongoClient) => Promise<void>,
    ) {
      const proxy = await openProxy(url, (command) =>
        command.includes('commitTransaction') ? (fates.shift() ?? 'pass') : 'pass',
      )
      const farClient = connect(proxy.url)
      await use(mongodbStore({ collection: databaseOf(farClient).collection(records.collectionName) }), farClient)
      await farClient.close()
      await proxy.close()
    }

    test('16 transactions that outlast their lease on a pool of 4: each is done once', async () => {
      const own = connect(url, { maxPoolSize: 4 })
      const collection = databaseOf(own).collection<Document & { _id: string }>(records.collectionName)
      const options = { namespace: 'pools', lease: '2s', storeTimeout: '30s', onInProgress: { wait: '50s' } } as const
      const idempotency = createIdempotency({ store: mongodbStore({ collection }), ...options })
      const done = databaseOf(own).collection(`done_${records.collectionName}`)
      await databaseOf(own).createCollection(done.collectionName)
      const call = (key: string) =>
        idempotency.transaction({ operation: 'slow', scope: unscoped, key }, async (session) => {
          await done.insertOne({ key }, { session })
          await sleep(2_500)
          return key
        })
      // a duplicate of each key waits, and takes over where a lease is lost
      const keys = Array.from({ length: 32 }, (_, i) => `${i >> 1}`)
      const outcomes = await Promise.all(keys.map(call))
      expect(outcomes).toMatchObject(keys.map((value) => ({ value })))
      expect(await done.countDocuments()).toBe(16)
      expect(new Set(await done.distinct('key')).size).toBe(16)
      await own.close()
    })

    const calls = {
      begin: (bound: Bound, key: string) => bound.begin(key, claimOf('other')),
      transition: (bound: Bound, key: string, token: number) => bound.transition(key, token, completed),
      get: (bound: Bound, key: string) => bound.get(key),
    }
    type Bound = ReturnType<typeof store.bind>

    for (const [name, call] of Object.entries(calls)) {
      test(`a snapshot that is older than the record conflicts, and never answers: ${name}`, async () => {
        const key = freshKey()
        const session = client.startSession()
        session.startTransaction()
        await effects.findOne({}, { session })
        const { token } = await store.begin(key, claimOf('a'))
        const answered = Promise.resolve(call(store.bind(session), key, token))
        await expect(answered).rejects.toThrow(MongoServerError)
        await expect(answered).rejects.toMatchObject({
          errorLabels: expect.arrayContaining(['TransientTransactionError']),
        })
        await session.abortTransaction()
        await session.endSession()
        expect((await store.get(key))?.token).toBe(token)
      })

      test(`so does one that is older than its last change: ${name}`, async () => {
        const key = freshKey()
        const { token } = await store.begin(key, claimOf('a', { leaseMs: 0 }))
        const session = client.startSession()
        session.startTransaction()
        await effects.findOne({}, { session })
        const taken = await store.begin(key, claimOf('b'))
        await expect(call(store.bind(session), key, token)).rejects.toThrow(MongoServerError)
        await session.abortTransaction()
        await session.endSession()
        expect((await store.get(key))?.token).toBe(taken.token)
      })
    }

    test('C-18 `transaction` runs the work again after a conflict, and what it did first is gone', async () => {
      const key = freshKey()
      const { token } = await store.begin(key, claimOf('a'))
      let bodies = 0
      const reply = await store.transaction(async (tx) => {
        bodies++
        await effects.insertOne({ key }, { session: tx })
        if (bodies === 1) await store.transition(key, token, { to: 'renew', leaseMs: 90_000 })
        return store.bind(tx).transition(key, token, completed)
      })
      expect([reply, bodies]).toEqual([{ outcome: 'ok', applied: true }, 2])
      expect(await effects.countDocuments({ key })).toBe(1)
    })

    test('work whose connection is lost is rolled back, and its caller told of the outage', async () => {
      const key = freshKey()
      // without a label, as the driver throws it where the loss of another connection has cleared the pool before
      const cause = new MongoNetworkError('read ECONNRESET')
      const run = store.transaction(async (tx) => {
        await effects.insertOne({ key }, { session: tx })
        throw cause
      })
      await expect(run).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'no', cause })
      expect(await effects.countDocuments({ key })).toBe(0)
    })

    test('work that takes longer than its lease runs once, and a duplicate is told at once', async () => {
      const idempotency = createIdempotency({ store, namespace: 'slow', lease: '150ms' })
      const call = { operation: 'pay', scope: unscoped, key: freshKey() } as const
      let bodies = 0
      const steps = new EventEmitter()
      const [written, refused] = [once(steps, 'written'), once(steps, 'refused')]
      const slow = idempotency.transaction(call, async (tx) => {
        bodies++
        await effects.insertOne({ key: call.key }, { session: tx })
        steps.emit('written')
        await Promise.all([refused, sleep(500)])
        return 'paid'
      })
      await written
      const duplicate = idempotency.transaction(call, () => 'paid twice')
      await expect(duplicate).rejects.toMatchObject({ code: 'IDEMPOTENCY_IN_PROGRESS' })
      steps.emit('refused')
      expect(await slow).toMatchObject({ value: 'paid', recorded: true, attempt: 1 })
      expect([bodies, await effects.countDocuments({ key: call.key })]).toEqual([1, 1])
    })

    test('begin, write and settle in one transaction: of 8 at once on a key one has an effect, and all see its result', async () => {
      const keys = Array.from({ length: 12 }, freshKey)
      let bodies = 0
      const run = (key: string, owner: string) =>
        store.transaction(async (tx) => {
          bodies++
          const bound = store.bind(tx)
          const begun = await bound.begin(key, claimOf(owner))
          if (begun.outcome !== 'acquired') return begun.result
          await effects.insertOne({ key }, { session: tx })
          await bound.transition(key, begun.token, { ...completed, result: bytes(owner) })
          return bytes(owner)
        })
      for (const key of keys) {
        const results = await Promise.all(Array.from({ length: 8 }, (_, i) => run(key, `owner ${i}`)))
        expect(new Set(results.map(String)).size).toBe(1)
        expect(await effects.countDocuments({ key })).toBe(1)
      }
      expect(bodies).toBeGreaterThanOrEqual(keys.length * 8)
    })

    test('a holder that was taken over is told so inside of its transaction, and rolls back', async () => {
      const key = freshKey()
      const zombie = await store.begin(key, claimOf('zombie', { leaseMs: 0 }))
      const holder = await store.begin(key, claimOf('holder'))
      const lost = new Error('lost')
      const run = store.transaction(async (tx) => {
        await effects.insertOne({ key }, { session: tx })
        const reply = await store.bind(tx).transition(key, zombie.token, completed)
        if (reply.outcome === 'lost') throw lost
      })
      await expect(run).rejects.toBe(lost)
      expect(await effects.countDocuments({ key })).toBe(0)
      expect(await store.transition(key, holder.token, completed)).toEqual({ outcome: 'ok', applied: true })
    })

    test('an error of the work comes out as it is, also one of the driver', async () => {
      await effects.createIndex({ unique: 1 }, { unique: true, sparse: true })
      await effects.insertOne({ unique: 1 })
      const key = freshKey()
      const run = store.transaction(async (tx) => {
        await store.bind(tx).begin(key, claimOf('a'))
        await effects.insertOne({ unique: 1 }, { session: tx })
      })
      await expect(run).rejects.toMatchObject({ code: 11000 })
      expect(await records.findOne({ _id: key })).toBeNull()
    })

    test('a session whose transaction has ended, or has not begun, is refused', async () => {
      const session = client.startSession()
      const key = freshKey()
      await expect(store.bind(session).begin(key, claimOf('a'))).rejects.toThrow(IdempotencyInvalidOptionError)
      session.startTransaction()
      await store.bind(session).begin(key, claimOf('a'))
      await session.commitTransaction()
      await expect(store.bind(session).get(key)).rejects.toThrow(IdempotencyInvalidOptionError)
      await session.endSession()
    })

    test.each<Fate>(['lose command', 'lose reply'])(
      'a commit that is cut is sent again, and is one commit: %s',
      (fate) =>
        through([fate], async (far, farClient) => {
          const key = freshKey()
          const { token } = await store.begin(key, claimOf('a'))
          let bodies = 0
          const reply = await far.transaction(async (tx) => {
            bodies++
            await databaseOf(farClient).collection('effects').insertOne({ key }, { session: tx })
            return far.bind(tx).transition(key, token, completed)
          })
          expect([reply, bodies]).toEqual([{ outcome: 'ok', applied: true }, 1])
          expect(await effects.countDocuments({ key })).toBe(1)
          expect((await store.get(key))?.state).toBe('completed')
        }),
    )

    test('a commit of which nobody hears any more is told as unknown', () =>
      through(['lose reply', 'lose command', 'lose command'], async (far, farClient) => {
        const key = freshKey()
        const run = far.transaction(async (tx) => {
          await far.bind(tx).begin(key, claimOf('a'))
          const { commitTransaction } = tx
          tx.commitTransaction = async () => {
            tx.commitTransaction = commitTransaction
            void farClient.close()
            return commitTransaction.call(tx)
          }
        })
        await expect(run).rejects.toThrow(StoreUnavailableError)
        await expect(run).rejects.toMatchObject({ applied: 'unknown' })
      }))
  })
}
