/** The suite that every binding passes. */
import { describeOnStores } from '../../../conformance/test/describe-on-stores.ts'
import { serveSuite } from './app.ts'

for (const platform of ['Express', 'Fastify'] as const) {
  await describeOnStores(`NestJS on ${platform}`, { start: (store) => serveSuite(platform, store) })
}
