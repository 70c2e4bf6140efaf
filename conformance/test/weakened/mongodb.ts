import { randomBytes } from 'node:crypto'
import { migrate, mongodbStore } from '@retryproof/mongodb'
import { type ClientSession, type Collection, MongoClient } from 'mongodb'
import type { StoreHarness } from '../../src/store/harness.ts'

/** Stores on a collection of their own whose pipelines are changed, as JSON, on their way to the server. */
export function weakenedMongodb(url: string, weaken: (pipeline: string) => string): StoreHarness<ClientSession> {
  const name = `weakened_${randomBytes(6).toString('hex')}`
  const clients = new Map<unknown, MongoClient>()
  let migrated: Promise<void> | undefined

  async function create(): Promise<void> {
    const client = new MongoClient(url)
    await migrate({ collection: client.db('weakened').collection(name) })
    await client.close()
  }
  return {
    async open({ now }) {
      migrated ??= create()
      await migrated
      const client = new MongoClient(url)
      const collection = client.db('weakened').collection(name)
      // values are bytes, which JSON has not
      const weakened = (pipeline: object[]): object[] => {
        const text = JSON.stringify(pipeline)
        const weak = weaken(text)
        return weak === text ? pipeline : JSON.parse(weak)
      }
      for (const name of ['findOneAndUpdate', 'updateOne'] as const) {
        const update = collection[name].bind(collection) as (...given: unknown[]) => Promise<unknown>
        const weakly = (filter: object, pipeline: object[], options: object) =>
          update(filter, weakened(pipeline), options)
        Object.assign(collection, { [name]: weakly })
      }
      const write = collection.bulkWrite.bind(collection) as (...given: unknown[]) => Promise<unknown>
      const bulkWrite = (updates: { updateOne: { update: object[] } }[], options: object) =>
        write(
          updates.map(({ updateOne }) => ({ updateOne: { ...updateOne, update: weakened(updateOne.update) } })),
          options,
        )
      Object.assign(collection, { bulkWrite })
      const store = mongodbStore({ collection: collection as Collection, ...(now && { now }) })
      clients.set(store, client)
      return store
    },
    close: (store) => clients.get(store)?.close(),
  }
}
