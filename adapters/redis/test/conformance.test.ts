import { describeStore } from '@retryproof/conformance/vitest'
import { describe } from 'vitest'
import { services } from '../../../scripts/services.mjs'
import { addressOf, clusterOf, harness, ioredis5, ioredis6, nobody } from './harness.ts'

for (const { title, nodes, missing } of await services('redis')) {
  const server = addressOf(nodes)
  for (const [driver, connect, batch] of [
    ['ioredis 6', ioredis6, true],
    ['ioredis 6, one call a script', ioredis6, false],
    ['ioredis 5', ioredis5, true],
  ] as const) {
    describe.skipIf(missing)(`${title}, ${driver}`, () => {
      const unreachable = () => connect(nobody)
      describeStore(
        'redis',
        harness((address = server) => connect(address), { unreachable, server, batch }),
      )
    })
  }
}

for (const { title, nodes, missing } of await services('redis-cluster')) {
  describe.skipIf(missing)(title, () => {
    const unreachable = () => clusterOf([nobody])
    describeStore(
      'redis',
      harness(() => clusterOf(nodes), { unreachable }),
    )
  })
}
