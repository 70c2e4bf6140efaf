/** The application of the suite on Hono, on Node. */
import { createServer as createHttp2Server, createSecureServer } from 'node:http2'
import { serve as listen, type ServerType } from '@hono/node-server'
import type { BindingServer } from '@retryproof/conformance/http'
import type { IdempotencyStore } from '@retryproof/core'
import { certificate } from '../../../conformance/test/certificate.ts'
import { honoApp } from './app.ts'

const servers = {
  http: {},
  h2c: { createServer: createHttp2Server },
  h2: { createServer: createSecureServer, serverOptions: { ...certificate, allowHTTP1: true } },
}

export function serve(
  store: IdempotencyStore<unknown>,
  protocol: BindingServer['protocol'] = 'http',
): Promise<BindingServer> {
  return new Promise((resolve) => {
    const over = servers[protocol === 'https' ? 'h2' : protocol]
    const options = { fetch: honoApp(store).fetch, port: 0, hostname: '127.0.0.1', ...over }
    const server: ServerType = listen(options, ({ port }) =>
      resolve({ port, protocol, close: async () => void server.close() }),
    )
  })
}
