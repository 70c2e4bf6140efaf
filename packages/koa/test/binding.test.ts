/** The suite that every binding passes. */

import Koa from 'koa'
import { describeFleet } from '../../../conformance/test/describe-fleet.ts'
import { describeOnStores } from '../../../conformance/test/describe-on-stores.ts'
import { describeOverHttp2 } from '../../../conformance/test/describe-over-http2.ts'
import { serve, versions } from './app.ts'

const lacks = { 'answers by a call': 'Koa answers when its middleware has returned' }

for (const [name, Framework] of versions) {
  await describeOnStores(name, {
    lacks,
    authenticates: true,
    start: (store) => serve(store, Framework),
  })
}
describeOverHttp2('Koa 3', {
  lacks,
  authenticates: true,
  start: (store, protocol) => serve(store, Koa, protocol),
})
await describeFleet('Koa 3', new URL('app.ts', import.meta.url))
