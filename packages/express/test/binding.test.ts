/** The suite that every binding passes. */
import { describeFleet } from '../../../conformance/test/describe-fleet.ts'
import { describeOnStores } from '../../../conformance/test/describe-on-stores.ts'
import { versions } from './app.ts'
import { serve } from './serve.ts'

for (const [name, framework] of versions) {
  await describeOnStores(name, { authenticates: true, start: (store) => serve(store, framework) })
}
await describeFleet('Express 5', new URL('serve.ts', import.meta.url))
