import { beforeAll, describe, expect, test } from 'vitest'
import { type OwnNode, startService, unavailable } from '../../../scripts/services.mjs'
import { type Address, addressOf, bytesOf, claim, clients, freshPrefix, ioredis6, storeFor } from './harness.ts'

const missing = await unavailable('redis')

describe.skipIf(missing)('durability', () => {
  let address: Address
  let replica: OwnNode | undefined

  beforeAll(async () => {
    const pair = await startService('redis-replica')
    address = addressOf(pair.nodes)
    replica = pair.nodes.find(({ role }) => role === 'replica')
    return () => pair.stop()
  })

  const patient = { replicas: 1, timeout: 20_000 }
  const hasty = { replicas: 1, timeout: 50 }
  const noReplica = { applied: 'unknown', message: expect.stringContaining('0 of 1 replicas confirmed') }

  test.each(clients)('an answer waits for the replica, and fails without it, %s', async (_, connect) => {
    const prefix = freshPrefix()
    const careless = storeFor(ioredis6(address), { prefix })
    const patiently = storeFor(connect(address), { prefix, durability: patient })
    const careful = storeFor(connect(address, { stringNumbers: true }), { prefix, durability: hasty })
    const result = bytesOf('result')
    const { token } = await patiently.begin('key', claim)
    const { token: other } = await patiently.begin('other', claim)
    replica?.signal('SIGSTOP')
    try {
      await expect(careful.begin('new', claim)).rejects.toMatchObject(noReplica)
      const together = await Promise.allSettled(['new', 'newer'].map((name) => careful.begin(name, claim)))
      expect(together).toMatchObject([{ reason: noReplica }, { reason: noReplica }])
      expect(new Set(together.map((one) => 'reason' in one && one.reason)).size).toBe(2)
      // the same begin sent again writes nothing new, and a replay is only read: neither may be trusted any more
      await expect(careful.begin('key', claim)).rejects.toMatchObject(noReplica)
      await careless.transition('key', token, { to: 'completed', result, retentionMs: 60_000 })
      await expect(careful.begin('key', { ...claim, owner: 'late' })).rejects.toMatchObject(noReplica)
      await expect(careful.get('key')).rejects.toMatchObject(noReplica)
      await expect(careful.transition('key', token - 1, { to: 'parked', retentionMs: 1 })).rejects.toMatchObject(
        noReplica,
      )
      const settling = careful.transition('other', other, { to: 'completed', result, retentionMs: 60_000 })
      await expect(settling).rejects.toMatchObject(noReplica)
    } finally {
      replica?.signal('SIGCONT')
    }
    expect(await patiently.get('key')).toMatchObject({ state: 'completed', result })
    expect(await patiently.begin('new', claim)).toMatchObject({ outcome: 'acquired', attempt: 1 })
    const again = await patiently.transition('other', other, { to: 'completed', result, retentionMs: 60_000 })
    expect(again).toEqual({ outcome: 'ok', applied: false })
  })

  test('a script that was forgotten is waited for, too', async () => {
    const client = ioredis6(address)
    const store = storeFor(client, { durability: patient })
    await client.script('FLUSH')
    expect(await store.begin('key', claim)).toMatchObject({ outcome: 'acquired' })
  })
})
