/** Fetch handlers on Node. */
import { describeFleet } from '../../../../conformance/test/describe-fleet.ts'
import { describeOnStores } from '../../../../conformance/test/describe-on-stores.ts'
import { lacks } from './lacks.ts'
import { serve } from './serve.ts'

await describeOnStores('Fetch, on Node', { lacks, authenticates: true, start: serve })
await describeFleet('Fetch, on Node', new URL('serve.ts', import.meta.url))
