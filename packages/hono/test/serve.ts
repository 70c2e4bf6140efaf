/** The application of the suite on Hono, on Node. */
import { serve as listen, type ServerType } from '@hono/node-server'
import type { BindingServer } from '@retryproof/conformance/http'
import type { IdempotencyStore } from '@retryproof/core'
import { honoApp } from './app.ts'

export function serve(store: IdempotencyStore<unknown>): Promise<BindingServer> {
  return new Promise((resolve) => {
    const options = { fetch: honoApp(store).fetch, port: 0, hostname: '127.0.0.1' }
    const server: ServerType = listen(options, ({ port }) => resolve({ port, close: async () => void server.close() }))
  })
}
