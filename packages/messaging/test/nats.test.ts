import { randomBytes } from 'node:crypto'
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { createIdempotency, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import type { Verdict } from '../src/index.ts'
import { consume } from '../src/nats.ts'

const server = await service('nats')

describe.skipIf(server.missing)(server.title, () => {
  test('a message that is published twice is handled once', async () => {
    const connection = await connect({ servers: server.url.replace('nats://', '') })
    const manager = await jetstreamManager(connection)
    const client = jetstream(connection)
    const stream = `s${randomBytes(6).toString('hex')}`
    await manager.streams.add({ name: stream, subjects: [`${stream}.>`], duplicate_window: 0 })
    await manager.consumers.add(stream, {
      durable_name: 'group',
      filter_subject: `${stream}.orders`,
      ack_policy: AckPolicy.Explicit,
    })
    const handled: unknown[] = []
    const verdicts: Verdict[] = []
    const consuming = await consume(
      createIdempotency({ store: memoryStore(), namespace: 'test' }),
      {
        consumer: await client.consumers.get(stream, 'group'),
        jetstream: client,
        deadLetters: `${stream}.dead`,
        scope: unscoped,
        id: (body) => (body as { id: string }).id,
        onVerdict: (verdict) => verdicts.push(verdict),
      },
      (body) => {
        handled.push(body)
      },
    )
    for (const id of ['a', 'b', 'a']) await client.publish(`${stream}.orders`, JSON.stringify({ id }))
    await client.publish(`${stream}.orders`, 'no json', { headers: headers() })
    await expect.poll(() => verdicts.filter(({ action }) => action === 'ack').length).toBe(4)
    expect(new Set(handled)).toEqual(new Set([{ id: 'a' }, { id: 'b' }]))
    expect(handled).toHaveLength(2)
    expect(await consuming.drain()).toEqual({ unfinished: 0 })
    await consuming.closed
    await connection.close()
  })
})
