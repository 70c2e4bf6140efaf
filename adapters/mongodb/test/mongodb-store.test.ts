import { StoreMisconfiguredError } from '@retryproof/core'
import type { Collection, Document, MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { services } from '../../../scripts/services.mjs'
import { migrate, mongodbStore, schema } from '../src/index.ts'
import { bytes, claimOf, clientModes, connect, databaseOf, freshKey, migrated, text } from './fixtures.ts'
import { openProxy } from './proxy.ts'

const retentionMs = 3_600_000

for (const { title, url } of await services('mongodb')) {
  describe(title, { timeout: 60_000 }, () => {
    let client: MongoClient
    let collection: Collection<Document & { _id: string }>
    beforeAll(async () => {
      client = connect(url)
      collection = await migrated(client)
    })
    afterAll(() => client.close())

    test('a client that its application closed says so', async () => {
      const own = connect(url)
      const store = mongodbStore({ collection: databaseOf(own).collection(collection.collectionName) })
      await store.get('none')
      await own.close()
      await expect(store.get('none')).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_CLOSED' })
    })

    test('what is common is one command, everything else two at most; the collection is looked for once', async () => {
      const proxy = await openProxy(url)
      const through = connect(proxy.url)
      const store = mongodbStore({ collection: databaseOf(through).collection(collection.collectionName) })
      const commands: Record<string, number> = {}
      async function count<T>(name: string, call: Promise<T>): Promise<T> {
        const before = proxy.commands
        const reply = await call
        commands[name] = proxy.commands - before
        return reply
      }
      await count('first call of the process', store.get('none'))
      const key = freshKey()
      const { token } = await count('fresh', store.begin(key, claimOf('a')))
      await count('conflict', store.begin(key, claimOf('b')))
      await count('mismatch', store.begin(key, claimOf('b', { fingerprint: 'other' })))
      await count('renew', store.transition(key, token, { to: 'renew', leaseMs: 60_000 }))
      const result = bytes('result')
      await count('settle', store.transition(key, token, { to: 'completed', result, retentionMs }))
      await count('repeated settle', store.transition(key, token, { to: 'completed', result, retentionMs }))
      await count('stale settle', store.transition(key, token - 1, { to: 'completed', result, retentionMs }))
      await count('replay', store.begin(key, claimOf('b')))
      await count('get', store.get(key))
      const lapsed = freshKey()
      await store.begin(lapsed, claimOf('a', { leaseMs: 0 }))
      await count('takeover', store.begin(lapsed, claimOf('b')))
      const expired = freshKey()
      await store.begin(expired, claimOf('a', { leaseMs: 0, retentionMs: 0 }))
      await count('purge', store.purge({ limit: 1000, graceMs: 0 }))
      const two = ['first call of the process', 'repeated settle', 'stale settle', 'takeover', 'purge']
      expect(commands).toEqual(
        Object.fromEntries(Object.keys(commands).map((name) => [name, two.includes(name) ? 2 : 1])),
      )
      await through.close()
      await proxy.close()
    })

    test.each(Object.entries(clientModes))('a client with %s gives the same answers', async (_, options) => {
      const other = connect(url, options)
      const { readPreference = 'primary' } = options
      const of = { ...(readPreference !== 'primary' && { readPreference: 'secondary' as const }) }
      const store = mongodbStore({ collection: databaseOf(other).collection(collection.collectionName, of) })
      const key = freshKey()
      const first = await store.begin(key, claimOf('a', { leaseMs: 0, request: bytes('request') }))
      expect(first).toMatchObject({ outcome: 'acquired', attempt: 1, interrupted: false, request: null })
      const checkpoint = { seq: 3, data: bytes('checkpoint') }
      expect(await store.transition(key, first.token, { to: 'renew', leaseMs: 0, checkpoint })).toEqual({
        outcome: 'ok',
        applied: true,
      })
      const second = await store.begin(key, claimOf('b'))
      expect(second).toEqual({
        outcome: 'acquired',
        state: 'in_progress',
        token: expect.any(Number),
        fingerprint: 'fingerprint',
        attempt: 2,
        interrupted: true,
        leaseRemainingMs: 60_000,
        retentionRemainingMs: 3_660_000,
        request: bytes('request'),
        checkpoint,
        result: null,
      })
      expect(second.token).toBeGreaterThan(first.token)
      expect(await store.transition(key, first.token, { to: 'parked', retentionMs })).toMatchObject({
        outcome: 'lost',
        current: { token: second.token },
      })
      await store.transition(key, second.token, { to: 'completed', result: bytes('result'), retentionMs })
      expect(await store.get(key)).toMatchObject({ state: 'completed', result: bytes('result'), checkpoint: null })
      const listed: unknown[] = []
      for await (const record of store.list({ namespace: 'mongodb' })) if (record.key === key) listed.push(record)
      expect(listed).toMatchObject([{ key, state: 'completed', token: second.token, attempt: 2 }])
      await store.transition(key, second.token, { to: 'forgotten', tombstoneMs: 0 })
      expect(await store.purge({ limit: 1000, graceMs: 0 })).toBeGreaterThan(0)
      expect(await collection.findOne({ _id: key })).toBeNull()
      await other.close()
    })

    test('no value is read as an expression, and no name as a path', async () => {
      const store = mongodbStore({ collection })
      for (const word of ['$token', '$$ROOT', '$$now', '__proto__', 'constructor', '$literal', 'a.b', '']) {
        const key = `${freshKey()}.${word}`
        const claim = claimOf(word, { fingerprint: word, request: bytes(word) })
        const { token } = await store.begin(key, claim)
        expect(await store.begin(key, claim)).toMatchObject({ outcome: 'acquired', token })
        expect((await store.begin(key, { ...claim, fingerprint: `${word}.` })).outcome).toBe('mismatch')
        await store.transition(key, token, { to: 'completed', result: bytes(word), retentionMs })
        const record = await store.get(key)
        expect(record?.fingerprint).toBe(word)
        expect([text(record?.request), text(record?.result)]).toEqual([word, word])
      }
    })

    test('a missing collection is refused, and not made', async () => {
      const missing = databaseOf(client).collection('missing')
      const store = mongodbStore({ collection: missing })
      for (const call of [
        () => store.begin(freshKey(), claimOf('a')),
        () => store.get('k'),
        () => store.purge({ limit: 1 }),
        () => store.transaction((tx) => store.bind(tx).begin(freshKey(), claimOf('a'))),
      ]) {
        await expect(call()).rejects.toThrow(StoreMisconfiguredError)
        await expect(call()).rejects.toThrow(/'missing' does not exist: run migrate\(\)/)
      }
      expect(await databaseOf(client).listCollections({ name: 'missing' }).toArray()).toEqual([])
      await migrate({ collection: missing })
      expect((await store.begin(freshKey(), claimOf('a'))).outcome).toBe('acquired')
    })

    test('a collection that could merge keys or lose records is refused by migrate, and by the store', async () => {
      const database = databaseOf(client)
      await database.createCollection('folded', { collation: { locale: 'en', strength: 2 } })
      await database.createCollection('capped', { capped: true, size: 100_000 })
      await database.createCollection('view', { viewOn: collection.collectionName, pipeline: [] })
      await database.createCollection('simple', { collation: { locale: 'simple' } })
      for (const [name, problem] of [
        ['folded', /collation 'en'/],
        ['capped', /is capped/],
        ['view', /is a view/],
      ] as const) {
        const other = database.collection(name)
        await expect(migrate({ collection: other })).rejects.toThrow(StoreMisconfiguredError)
        const begun = mongodbStore({ collection: other }).begin('k', claimOf('a'))
        await expect(begun).rejects.toThrow(problem)
      }
      await migrate({ collection: database.collection('simple') })
    })

    test('migrate can be run again, and by many at once; another index of that name is refused', async () => {
      const fresh = databaseOf(client).collection('fresh')
      await Promise.all(Array.from({ length: 8 }, () => migrate({ collection: fresh })))
      expect(await fresh.indexes()).toMatchObject([{ name: '_id_' }, ...schema()])
      const other = databaseOf(client).collection('other-index')
      await other.createIndex({ expiresAt: 1 }, { name: 'retryproof_expiry', expireAfterSeconds: 1 })
      await expect(migrate({ collection: other })).rejects.toThrow(/Drop that index/)
    })

    test('a document of another layout is left as it is, whatever is called', async () => {
      const store = mongodbStore({ collection })
      const { _id, ...stored } = { _id: freshKey(), v: 2, state: 'completed', token: 7, expiresAt: new Date(0) }
      const documents: (Document & { _id: string })[] = [
        { _id, ...stored },
        { _id: freshKey(), total: 12 },
      ]
      await collection.insertMany(documents)
      for (const document of documents) {
        for (const call of [
          () => store.begin(document._id, claimOf('a')),
          () => store.transition(document._id, 7, { to: 'forgotten', tombstoneMs: 0 }),
          () => store.get(document._id),
          () => store.transaction((tx) => store.bind(tx).begin(document._id, claimOf('a'))),
        ])
          await expect(call()).rejects.toThrow(/no record of layout 1/)
        await store.purge({ limit: 1000, graceMs: 0 })
        expect(await collection.findOne({ _id: document._id })).toEqual(document)
      }
      await collection.deleteMany({ _id: { $in: documents.map((document) => document._id) } })
    })

    test('a validator that refuses records is named', async () => {
      const strict = databaseOf(client).collection('strict')
      await databaseOf(client).createCollection('strict', { validator: { order: { $exists: true } } })
      const begun = mongodbStore({ collection: strict }).begin('k', claimOf('a'))
      await expect(begun).rejects.toThrow(StoreMisconfiguredError)
      await expect(begun).rejects.toThrow(/Remove the validator/)
    })

    test('a key that collides again and again ends in five tries of the full command, and nothing was applied', async () => {
      const name = 'colliding'
      await migrated(client, name)
      await databaseOf(client).collection(name).createIndex({ state: 1 }, { unique: true })
      const proxy = await openProxy(url)
      const through = connect(proxy.url)
      const store = mongodbStore({ collection: databaseOf(through).collection(name) })
      await store.begin(freshKey(), claimOf('a'))
      const before = proxy.commands
      await expect(store.begin(freshKey(), claimOf('b'))).rejects.toMatchObject({
        code: 'IDEMPOTENCY_STORE_UNAVAILABLE',
        applied: 'no',
      })
      expect(proxy.commands - before).toBe(1 + 5)
      await through.close()
      await proxy.close()
    })

    test('purge and list find their documents by an index', async () => {
      const { purgeable, listable } = await import('../src/statements.ts')
      const stage = async (filter: object, variables: object) => {
        const plan = await collection.find(filter, { let: variables }).explain('queryPlanner')
        return JSON.stringify(plan)
      }
      const now = '$$NOW'
      expect(await stage(purgeable, { now, grace: 60_000 })).toContain('retryproof_expiry')
      expect(await stage(listable({ namespace: 'mongodb' }), { now })).toContain('"indexName":"_id_"')
      expect(await stage({ _id: 'k' }, { now })).toContain('IDHACK')
    })

    test('a record with a result of 1 KiB takes at most 5% more than a document written by hand', async () => {
      const store = mongodbStore({ collection })
      const key = `payments.post-orders-id-refunds.${'0123456789abcdef'.repeat(4)}`
      const claim = claimOf('0123456789abcdef'.repeat(2), { fingerprint: '0123456789abcdef'.repeat(4) })
      const result = new Uint8Array(1024)
      const { token } = await store.begin(key, claim)
      await store.transition(key, token, { to: 'completed', result, retentionMs })
      const byHand = databaseOf(client).collection<Document & { _id: string }>('by-hand')
      await byHand.insertOne({
        _id: key,
        state: 'completed',
        token: BigInt(token),
        owner: claim.owner,
        fingerprint: claim.fingerprint,
        attempt: 1,
        interrupted: false,
        leaseUntil: new Date(),
        expiresAt: new Date(),
        result,
      })
      const size = async (from: Collection<Document & { _id: string }>) => {
        const [found] = await from
          .aggregate([{ $match: { _id: key } }, { $project: { size: { $bsonSize: '$$ROOT' } } }])
          .toArray()
        return Number(found?.size)
      }
      const [ours, theirs] = [await size(collection), await size(byHand)]
      process.stdout.write(
        `${title}: ${ours} bytes for a result of 1 KiB, ${theirs} by hand (${((ours / theirs - 1) * 100).toFixed(1)}% more)\n`,
      )
      expect(ours / theirs).toBeLessThan(1.05)
    })
  })
}
