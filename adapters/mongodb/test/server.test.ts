import { StoreUnavailableError } from '@retryproof/core'
import type { Collection, Document, MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type OwnNode, type Service, service, startService } from '../../../scripts/services.mjs'
import { failoverDrill } from '../drills/failover.ts'
import { mongodbStore } from '../src/index.ts'
import { bytes, claimOf, connect, databaseOf, freshKey, migrated } from './fixtures.ts'

const retentionMs = 3_600_000
const { missing } = await service('mongodb')

describe.skipIf(missing)('a server of its own', () => {
  let server: Service<OwnNode>
  let client: MongoClient
  let collection: Collection<Document & { _id: string }>
  const node = () => server.nodes[0] as OwnNode
  beforeAll(async () => {
    server = await startService('mongodb', { durable: true, args: ['--setParameter', 'ttlMonitorSleepSecs=1'] })
    client = connect(server.url)
    collection = await migrated(client)
  }, 120_000)
  afterAll(async () => {
    await client.close()
    await server.stop()
  })

  test('what expired a minute ago is removed by the server, unless an injected clock says so', async () => {
    const store = mongodbStore({ collection })
    const [old, young, injected] = [freshKey(), freshKey(), freshKey()]
    for (const key of [old, young]) await store.begin(key, claimOf('a', { leaseMs: 0, retentionMs: 0 }))
    await mongodbStore({ collection, now: () => 1_000 }).begin(injected, claimOf('a', { leaseMs: 0, retentionMs: 0 }))
    await collection.updateOne({ _id: old }, { $set: { expiresAt: new Date(Date.now() - 61_000) } })
    await vi.waitFor(async () => expect(await collection.findOne({ _id: old })).toBeNull(), 20_000)
    expect(await collection.countDocuments({ _id: { $in: [young, injected] } })).toBe(2)
  }, 30_000)

  test('a server that hangs, stops and comes back: nothing is answered, nothing acknowledged is lost', async () => {
    const impatient = connect(server.url, {
      heartbeatFrequencyMS: 500,
      connectTimeoutMS: 500,
      serverSelectionTimeoutMS: 3_000,
    })
    const store = mongodbStore({ collection: databaseOf(impatient).collection(collection.collectionName) })
    const key = freshKey()
    const claim = claimOf('a')
    const { token } = await store.begin(key, claim)
    const settle = () => store.transition(key, token, { to: 'completed', result: bytes('result'), retentionMs })
    const calls = [
      [() => store.begin(freshKey(), claim), ['unknown']],
      [() => store.transition(key, token, { to: 'renew', leaseMs: 60_000 }), ['unknown']],
      [() => store.get(key), ['no']],
      [() => store.purge({ limit: 1 }), ['no']],
      [() => store.transaction((tx) => store.bind(tx).begin(freshKey(), claim)), ['no', 'unknown']],
    ] as const

    const allFail = () =>
      Promise.all(
        calls.map(async ([call, applied]) => {
          const error = await call().then(
            () => expect.fail('nothing can be answered'),
            (reason: unknown) => reason,
          )
          expect(error).toBeInstanceOf(StoreUnavailableError)
          expect(applied).toContain((error as StoreUnavailableError).applied)
        }),
      )

    node().signal('SIGSTOP')
    await allFail()
    node().signal('SIGCONT')
    expect(await vi.waitFor(() => store.begin(key, claim), 20_000)).toMatchObject({ outcome: 'acquired', token })
    expect(await vi.waitFor(settle, 20_000)).toMatchObject({ outcome: 'ok' })

    await node().stop()
    await allFail()
    await node().start()
    const replay = await vi.waitFor(() => store.begin(key, claimOf('b')), 20_000)
    expect(replay).toMatchObject({ outcome: 'settled', token, result: bytes('result') })
    await impatient.close()
  }, 400_000)
})

describe.skipIf(missing)('C-12 three nodes', () => {
  test('SIGKILL of the primary under load: no acknowledged result is lost, no token falls', async () => {
    const report = await failoverDrill(1, 100, () => {})
    process.stdout.write(`mongodb failover: ${JSON.stringify(report)}\n`)
    expect(report).toMatchObject({ lost: 0, tokensThatFell: 0 })
    expect(report.acknowledged).toBeGreaterThanOrEqual(200)
  }, 180_000)
})
