/** The suite that every binding passes. */
import type { AddressInfo } from 'node:net'
import { describeOnStores } from '../../../conformance/test/describe-on-stores.ts'
import { fastifyApp } from './app.ts'

await describeOnStores('Fastify', {
  authenticates: true,
  async start(store) {
    const app = await fastifyApp(store)
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { port: (app.server.address() as AddressInfo).port, close: () => app.close() }
  },
})
