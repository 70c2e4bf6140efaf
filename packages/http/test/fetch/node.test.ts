/** Fetch handlers on Node, behind a server that speaks Fetch. */
import { type ServerType, serve } from '@hono/node-server'
import { describeOnStores } from '../../../../conformance/test/describe-on-stores.ts'
import { fetchApp } from './app.ts'
import { lacks } from './lacks.ts'

await describeOnStores('Fetch, on Node', {
  lacks,
  authenticates: true,
  start: (store) =>
    new Promise((resolve) => {
      const answer = fetchApp(store)
      const options = { fetch: (request: Request) => answer(request), port: 0, hostname: '127.0.0.1' }
      const server: ServerType = serve(options, ({ port }) => resolve({ port, close: async () => void server.close() }))
    }),
})
