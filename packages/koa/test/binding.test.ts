/** The suite that every binding passes. */
import { describeFleet } from '../../../conformance/test/describe-fleet.ts'
import { describeOnStores } from '../../../conformance/test/describe-on-stores.ts'
import { serve, versions } from './app.ts'

for (const [name, Framework] of versions) {
  await describeOnStores(name, {
    lacks: { 'answers by a call': 'Koa answers when its middleware has returned' },
    authenticates: true,
    start: (store) => serve(store, Framework),
  })
}
await describeFleet('Koa 3', new URL('app.ts', import.meta.url))
