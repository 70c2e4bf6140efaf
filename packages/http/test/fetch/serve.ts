/** The application of the suite as a Fetch handler, on Node, behind a server that speaks Fetch. */
import { serve as listen, type ServerType } from '@hono/node-server'
import type { BindingServer } from '@retryproof/conformance/http'
import type { IdempotencyStore } from '@retryproof/core'
import { fetchApp } from './app.ts'

export function serve(store: IdempotencyStore<unknown>): Promise<BindingServer> {
  return new Promise((resolve) => {
    const answer = fetchApp(store)
    const options = { fetch: (request: Request) => answer(request), port: 0, hostname: '127.0.0.1' }
    const server: ServerType = listen(options, ({ port }) => resolve({ port, close: async () => void server.close() }))
  })
}
