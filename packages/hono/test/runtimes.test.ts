/** Hono on the servers of other runtimes. */
import { describeOnRuntimes } from '../../../conformance/test/describe-on-runtimes.ts'
import { lacks } from './lacks.ts'

const compression = 'Workers compress by themselves'

describeOnRuntimes('Hono', new URL('app.ts', import.meta.url), (runtime) => ({
  ...lacks,
  'repeated headers': 'Fetch joins them',
  ...(runtime === 'workerd' && { 'compression outside': compression, 'compression inside': compression }),
}))
