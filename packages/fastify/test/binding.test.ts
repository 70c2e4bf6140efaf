/** The suite that every binding passes. */
import { describeFleet } from '../../../conformance/test/describe-fleet.ts'
import { describeOnStores } from '../../../conformance/test/describe-on-stores.ts'
import { describeOverHttp2 } from '../../../conformance/test/describe-over-http2.ts'
import { serve } from './app.ts'

await describeOnStores('Fastify', { authenticates: true, start: (store) => serve(store) })
describeOverHttp2('Fastify', {
  lacks: { 'cut answers': 'Fastify ends a stream that fails over HTTP/2, as without a guard' },
  authenticates: true,
  start: serve,
})
await describeFleet('Fastify', new URL('app.ts', import.meta.url))
