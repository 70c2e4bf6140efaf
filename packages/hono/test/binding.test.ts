/** The suite that every binding passes, on Node. */
import { type ServerType, serve } from '@hono/node-server'
import { describeOnStores } from '../../../conformance/test/describe-on-stores.ts'
import { honoApp } from './app.ts'
import { lacks } from './lacks.ts'

await describeOnStores('Hono', {
  lacks,
  authenticates: true,
  start: (store) =>
    new Promise((resolve) => {
      const options = { fetch: honoApp(store).fetch, port: 0, hostname: '127.0.0.1' }
      const server: ServerType = serve(options, ({ port }) => resolve({ port, close: async () => void server.close() }))
    }),
})
