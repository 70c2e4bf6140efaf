import { describeStore } from '@retryproof/conformance/vitest'
import { services } from '../../../scripts/services.mjs'
import { harnessOf } from './fixtures.ts'

for (const { title, url } of await services('mongodb')) {
  describeStore(title, harnessOf(url))
  describeStore(`${title} without retryWrites, one call a command`, harnessOf(url, { retryWrites: false }, false))
}
