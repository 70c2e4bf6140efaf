import { describeStore } from '@retryproof/conformance/vitest'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { describe } from 'vitest'
import { services } from '../../../scripts/services.mjs'
import { honest, redisHarness } from './harness.ts'

const nobody = { host: '127.0.0.1', port: 1 }

for (const server of await services('redis')) {
  const { host, port } = server.nodes[0] ?? nobody
  describe.skipIf(server.missing)(`${server.title}, ioredis 6`, () => {
    const connect = (address = { host, port }) => new Redis({ ...address, ...honest }).on('error', () => {})
    describeStore('redis', redisHarness({ connect, server: { host, port }, unreachable: nobody }))
  })
  describe.skipIf(server.missing)(`${server.title}, ioredis 5`, () => {
    const connect = (address = { host, port }) => new Redis5({ ...address, ...honest }).on('error', () => {})
    describeStore('redis', redisHarness({ connect, server: { host, port }, unreachable: nobody }))
  })
}
