/** The suite that every binding passes. */
import { describeFleet } from '../../../conformance/test/describe-fleet.ts'
import { describeOnStores } from '../../../conformance/test/describe-on-stores.ts'
import { serve } from './app.ts'

await describeOnStores('Fastify', { authenticates: true, start: serve })
await describeFleet('Fastify', new URL('app.ts', import.meta.url))
