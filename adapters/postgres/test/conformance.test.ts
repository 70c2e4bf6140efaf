import { describeStore } from '@retryproof/conformance/vitest'
import { service, services } from '../../../scripts/services.mjs'
import { embedded, harnessOf } from './fixtures.ts'

for (const { title, url } of await services('postgres')) {
  describeStore(`${title}, one table, waiters woken by NOTIFY`, harnessOf(url, { watch: true }))
  describeStore(
    `${title}, hash partitions, a pool that reads snapshots`,
    harnessOf(url, { partitions: 4, isolation: 'repeatable read' }),
  )
  describeStore(`${title}, a pool that is serializable`, harnessOf(url, { isolation: 'serializable' }))
}
const { title, url } = await service('pgbouncer')
describeStore(title, harnessOf(url, { prepare: false }))
describeStore('PGlite', embedded())
