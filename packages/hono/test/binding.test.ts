/** The suite that every binding passes, on Node. */
import { describeFleet } from '../../../conformance/test/describe-fleet.ts'
import { describeOnStores } from '../../../conformance/test/describe-on-stores.ts'
import { describeOverHttp2 } from '../../../conformance/test/describe-over-http2.ts'
import { lacks } from './lacks.ts'
import { serve } from './serve.ts'

await describeOnStores('Hono', { lacks, authenticates: true, start: (store) => serve(store) })
describeOverHttp2('Hono', { lacks, authenticates: true, start: serve })
await describeFleet('Hono', new URL('serve.ts', import.meta.url))
