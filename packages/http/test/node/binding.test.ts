/** The suite that every binding passes, on plain servers of Node. */
import { describeOnStores } from '../../../../conformance/test/describe-on-stores.ts'
import { describeOverHttp2 } from '../../../../conformance/test/describe-over-http2.ts'
import { lacks, listening, plainApp } from './app.ts'

await describeOnStores('Node', { lacks, authenticates: true, start: (store) => listening(plainApp(store)) })
describeOverHttp2('Node', {
  lacks,
  authenticates: true,
  start: (store, protocol) => listening(plainApp(store), protocol),
})
