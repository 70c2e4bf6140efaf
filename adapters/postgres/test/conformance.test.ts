import { describeStore } from '@retryproof/conformance/vitest'
import { service, services } from '../../../scripts/services.mjs'
import { embedded, freshDatabase, harnessOf } from './fixtures.ts'

for (const { title, url } of await services('postgres')) {
  const database = await freshDatabase(url)
  describeStore(`${title}, with NOTIFY`, harnessOf(database, { watch: true }))
  describeStore(`${title}, one call a statement`, harnessOf(database, { batch: false }))
  const snapshots = await freshDatabase(url, 'repeatable read')
  describeStore(`${title}, partitioned, in a database that reads snapshots`, harnessOf(snapshots, { partitions: 4 }))
}

const { title, url } = await service('pgbouncer')
const serializable = await freshDatabase(url, 'serializable')
describeStore(`${title}, in a database that is serializable`, harnessOf(serializable, { prepare: false }))

describeStore('PGlite', embedded())
