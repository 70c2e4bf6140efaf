import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { addressOf, claim, freshPrefix, ioredis6, storeFor } from './harness.ts'

const redis = await service('redis')

test.skipIf(redis.missing)('a record with 1 KiB takes no more room than a hash that is written by hand', async () => {
  const prefix = freshPrefix()
  const client = ioredis6(addressOf(redis.nodes))
  const store = storeFor(client, { prefix })
  const digest = (text: string) => createHash('sha256').update(text).digest('hex')
  const key = `payments.post-orders-id-refunds.${digest('key')}`
  const result = Buffer.alloc(1024, 'result ')
  const retentionMs = 86_400_000
  const bytesOf = async (name: string) => Number(await client.memory('USAGE', prefix + name, 'SAMPLES', 0))

  const { token } = await store.begin(key, {
    ...claim,
    owner: digest('owner').slice(0, 32),
    fingerprint: digest('body'),
  })
  const running = await bytesOf(key)
  await store.transition(key, token, { to: 'completed', result, retentionMs })
  const settled = await bytesOf(key)

  const byHand = key.replace('payments', 'by-hands')
  const fields = {
    status: 'completed',
    token,
    fingerprint: digest('body'),
    attempt: 1,
    interrupted: 0,
    expiresAt: token,
    result,
  }
  await client.hset(prefix + byHand, fields)
  await client.pexpire(prefix + byHand, retentionMs)
  const written = await bytesOf(byHand)

  process.stdout.write(
    `bytes a record (Redis ${redis.version}): in progress ${running}, settled ${settled}, by hand ${written}\n`,
  )
  expect(settled).toBeLessThanOrEqual(written * 1.05)
})
