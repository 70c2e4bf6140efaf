/** MongoDB: a replica set of three, whose majority acknowledges each write. */
import { migrate, mongodbStore } from '@retryproof/mongodb'
import { type ClientSession, MongoClient } from 'mongodb'
import { type OwnNode, startService } from '../../../scripts/services.mjs'
import type { Servers } from './failover-drill.ts'
import { until } from './until.ts'

const DATABASE = 'shop'

export async function startMongodbSet(): Promise<Servers<ClientSession>> {
  const service = await startService('mongodb', { nodes: 3, durable: true })
  const operator = new MongoClient(service.url, { serverSelectionTimeoutMS: 10_000 })
  const admin = operator.db('admin')
  await migrate({ collection: operator.db(DATABASE).collection('records') })
  await operator.db(DATABASE).createCollection('orders')
  const leader = async () => {
    const { primary } = await admin.command({ hello: 1 })
    return service.nodes.find(({ port }) => primary === `127.0.0.1:${port}`)
  }
  const first = (await leader()) as OwnNode
  return {
    async open() {
      const client = new MongoClient(service.url, { serverSelectionTimeoutMS: 2_000, maxPoolSize: 8 })
      const database = client.db(DATABASE)
      return {
        store: mongodbStore({ collection: database.collection('records') }),
        insertOrder: (session, k) => database.collection('orders').insertOne({ k }, { session }),
        end: () => client.close(),
      }
    },
    async demote() {
      await admin.command({ replSetStepDown: 60, secondaryCatchUpPeriodSecs: 10 })
    },
    promote: () =>
      until(async () => {
        const now = await leader()
        return now !== undefined && now !== first
      }),
    kill: () => first.kill(),
    async orders() {
      const counted = operator
        .db(DATABASE)
        .collection('orders')
        .aggregate([{ $sortByCount: '$k' }])
      return new Map((await counted.toArray()).map(({ _id, count }) => [_id, count]))
    },
    async stop() {
      await operator.close()
      await service.stop()
    },
  }
}
