/** Fetch handlers on the servers of other runtimes. */
import { describeOnRuntimes } from '../../../../conformance/test/describe-on-runtimes.ts'
import { lacks } from './lacks.ts'

describeOnRuntimes('Fetch', new URL('app.ts', import.meta.url), () => lacks)
