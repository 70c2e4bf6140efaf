/** Streams of NATS for the suite. */
import { randomBytes } from 'node:crypto'
import { AckPolicy, type JsMsg, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers, type NatsConnection } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import type { TestLetter, TestQueue } from '@retryproof/conformance/messaging'
import { REASON_HEADER, ROUND_HEADER } from '../src/index.ts'
import { consume } from '../src/nats.ts'

const NANOSECONDS = 1_000_000

export async function openNatsQueue(url: string, visibilityMs: number): Promise<TestQueue> {
  const servers = new URL(url).host
  const connection = await connect({ servers })
  const connections: NatsConnection[] = [connection]
  const stream = `suite_${randomBytes(6).toString('hex')}`
  const manager = await jetstreamManager(connection)
  const client = jetstream(connection)
  await manager.streams.add({ name: stream, subjects: [`${stream}.>`] })
  const add = (durable_name: string, filter_subject: string) =>
    manager.consumers.add(stream, {
      durable_name,
      filter_subject,
      ack_policy: AckPolicy.Explicit,
      ack_wait: visibilityMs * NANOSECONDS,
    })
  await add('group', `${stream}.orders`)
  await add('dead', `${stream}.dead`)
  const dead = await client.consumers.get(stream, 'dead')
  const letters: (TestLetter & { readonly message: JsMsg })[] = []
  let cut = async () => {}

  return {
    // without Nats-Msg-Id, by which the stream itself would drop duplicates for two minutes
    async publish({ body, headers: given = {} }) {
      const all = headers()
      for (const [name, value] of Object.entries(given)) all.set(name, value)
      await client.publish(`${stream}.orders`, body, { headers: all })
    },
    async consume(idempotency, options, handler) {
      const own = await connect({ servers })
      connections.push(own)
      cut = () => own.close()
      const ownClient = jetstream(own)
      const consumer = await ownClient.consumers.get(stream, 'group')
      const all = { ...options, consumer, jetstream: ownClient, deadLetters: `${stream}.dead` }
      return consume(idempotency, all as never, handler as never)
    },
    cut: () => cut(),
    async deadLetters() {
      const { num_pending: waiting } = await dead.info()
      const found = waiting > 0 ? await dead.fetch({ max_messages: waiting, expires: 1000 }) : []
      for await (const message of found) {
        letters.push({
          body: message.string(),
          reason: message.headers?.get(REASON_HEADER),
          round: message.headers?.get(ROUND_HEADER),
          message,
        })
        message.ack()
      }
      return letters
    },
    async redrive(letter) {
      const { message } = letter as (typeof letters)[number]
      const kept = headers()
      for (const key of message.headers?.keys() ?? []) {
        if (!key.startsWith('Nats-')) kept.set(key, message.headers?.get(key) ?? '')
      }
      await client.publish(`${stream}.orders`, message.data, { headers: kept })
    },
    async close() {
      await manager.streams.delete(stream)
      await Promise.all(connections.map((each) => each.close()))
    },
  }
}
