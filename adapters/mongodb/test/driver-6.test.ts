import { describeStore } from '@retryproof/conformance/vitest'
import { MongoClient } from 'mongodb-6'
import { services } from '../../../scripts/services.mjs'
import { migrate, mongodbStore } from '../src/index.ts'

for (const { title, url } of await services('mongodb')) {
  const clients = new Map<unknown, MongoClient>()
  describeStore(`${title} by the driver 6`, {
    async open({ now }) {
      const client = new MongoClient(url)
      const collection = client.db('retryproof_driver_6').collection('records')
      await migrate({ collection })
      const store = mongodbStore({ collection, ...(now && { now }) })
      clients.set(store, client)
      return store
    },
    close: async (store) => clients.get(store)?.close(),
  })
}
