import { AckPolicy, type JsMsg, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers, type NatsConnection } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { unscoped } from '@retryproof/core'
import { REASON_HEADER } from '../../src/index.ts'
import { consume } from '../../src/nats.ts'
import { NUMBER_HEADER } from './hostile-messages.ts'
import type { DrillBroker, Order, Place, RawMessage } from './place.ts'

const NANOSECONDS = 1_000_000
const ACK_WAIT_MS = 3000

export function natsBroker(): DrillBroker {
  let connection: Promise<NatsConnection> | undefined
  const open = ({ url }: Place) => {
    connection ??= connect({ servers: new URL(url).host, maxReconnectAttempts: -1, reconnectTimeWait: 200 })
    return connection
  }

  return {
    service: 'nats',
    async prepare(place) {
      const manager = await jetstreamManager(await open(place))
      await manager.streams.add({ name: place.name, subjects: [`${place.name}.>`] })
      await manager.consumers.add(place.name, {
        durable_name: 'group',
        filter_subject: `${place.name}.orders`,
        ack_policy: AckPolicy.Explicit,
        ack_wait: ACK_WAIT_MS * NANOSECONDS,
      })
    },
    async publish(place, orders) {
      const client = jetstream(await open(place))
      for (let i = 0; i < orders.length; i += 500) {
        const some = orders.slice(i, i + 500)
        await Promise.all(some.map((order) => client.publish(`${place.name}.orders`, JSON.stringify(order))))
      }
    },
    async publishRaw(place, messages) {
      const client = jetstream(await open(place))
      for (let i = 0; i < messages.length; i += 200) {
        const send = ({ body, headers: given }: RawMessage) => {
          const all = headers()
          for (const [name, value] of Object.entries(given)) all.set(name, value)
          return client.publish(`${place.name}.orders`, body, { headers: all })
        }
        await Promise.all(messages.slice(i, i + 200).map(send))
      }
    },
    async letters(place) {
      return (await lettersOf(place)).map((letter) => ({
        reason: letter.headers?.get(REASON_HEADER) || undefined,
        number: letter.headers?.get(NUMBER_HEADER) || undefined,
        body: letter.string(),
      }))
    },
    async consume(place, idempotency, options, handler) {
      const client = jetstream(await open(place))
      const consumer = await client.consumers.get(place.name, 'group')
      const deadLetters = `${place.name}.dead`
      const id = (order: unknown) => (order as Order).id
      const own = { ...options, consumer, jetstream: client, deadLetters, id, scope: unscoped } as const
      return consume(idempotency, own, (order, context) => handler(order as Order, context))
    },
    async left(place) {
      const manager = await jetstreamManager(await open(place))
      const { num_pending, num_ack_pending } = await manager.consumers.info(place.name, 'group')
      return num_pending + num_ack_pending
    },
    deadLetters: async (place) => (await lettersOf(place)).map((letter) => letter.json<Order>().id),
    close: async () => (await connection)?.close(),
  }

  async function lettersOf(place: Place): Promise<readonly JsMsg[]> {
    const manager = await jetstreamManager(await open(place))
    await manager.consumers.add(place.name, {
      durable_name: 'dead',
      filter_subject: `${place.name}.dead`,
      ack_policy: AckPolicy.Explicit,
    })
    const dead = await jetstream(await open(place)).consumers.get(place.name, 'dead')
    const { num_pending: waiting } = await dead.info()
    const letters: JsMsg[] = []
    const found = waiting > 0 ? await dead.fetch({ max_messages: waiting, expires: 5000 }) : []
    for await (const message of found) {
      letters.push(message)
      message.ack()
    }
    return letters
  }
}
