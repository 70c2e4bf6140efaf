import { setTimeout as delay } from 'node:timers/promises'
import { unscoped } from '@retryproof/core'
import { type ChannelModel, type ConfirmChannel, connect, type GetMessage } from 'amqplib'
import { type ConsumerHandle, REASON_HEADER } from '../../src/index.ts'
import { consume } from '../../src/rabbitmq.ts'
import { NUMBER_HEADER } from './hostile-messages.ts'
import type { DrillBroker, Order, Place } from './place.ts'

/** Longer than a consumer keeps a message that it cannot handle yet: unacknowledged ones are in no count that AMQP gives. */
const QUIET_MS = 8000
const RECONNECT_MS = 200

export function rabbitmqBroker(): DrillBroker {
  const connections = new Set<ChannelModel>()
  let control: Promise<ConfirmChannel> | undefined
  let quietSince: number | undefined

  async function open({ url }: Place): Promise<ConfirmChannel> {
    const connection = await connect(url)
    connection.on('error', () => {})
    connections.add(connection)
    connection.on('close', () => connections.delete(connection))
    const channel = await connection.createConfirmChannel()
    channel.on('error', () => {})
    return channel
  }

  /** The channel of this process, another one after the broker was restarted. */
  function channelOf(place: Place): Promise<ConfirmChannel> {
    const forget = () => {
      control = undefined
    }
    const openControl = async () => {
      const channel = await open(place)
      channel.once('close', forget)
      return channel
    }
    if (!control) {
      control = openControl()
      control.catch(forget)
    }
    return control
  }

  return {
    service: 'rabbitmq',
    async prepare(place) {
      const channel = await channelOf(place)
      await channel.assertQueue(place.name, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
      await channel.assertQueue(`${place.name}-dead`, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
    },
    async publish(place, orders) {
      const channel = await channelOf(place)
      for (let i = 0; i < orders.length; i += 500) {
        for (const order of orders.slice(i, i + 500)) {
          const content = Buffer.from(JSON.stringify(order))
          channel.sendToQueue(place.name, content, { messageId: order.id, persistent: true })
        }
        await channel.waitForConfirms()
      }
    },
    async publishRaw(place, messages) {
      const channel = await channelOf(place)
      for (let i = 0; i < messages.length; i += 100) {
        for (const [at, { body, headers }] of messages.slice(i, i + 100).entries()) {
          // the queue is one destination, however often it is named
          const routed = at % 10 === 0 ? { CC: [place.name], BCC: [place.name] } : {}
          channel.sendToQueue(place.name, body, { persistent: true, headers, ...routed })
        }
        await channel.waitForConfirms()
      }
    },
    async letters(place) {
      return (await lettersOf(place)).map(({ content, properties: { headers = {} } }) => ({
        reason: headers[REASON_HEADER],
        number: headers[NUMBER_HEADER],
        body: content.toString(),
      }))
    },
    async consume(place, idempotency, options, handler) {
      let current: ConsumerHandle | undefined
      let isStopping = false

      async function start(): Promise<ConsumerHandle> {
        const channel = await open(place)
        const deadLetters = { exchange: '', routingKey: `${place.name}-dead` }
        const own = { ...options, channel, queue: place.name, deadLetters, scope: unscoped } as const
        return consume(idempotency, own, (order, context) => handler(order as Order, context))
      }

      /** As a user would: when the connection is gone, another one is made. */
      async function keep(): Promise<void> {
        while (!isStopping) {
          try {
            current = await start()
            await current.closed
          } catch (error) {
            options.onError(error)
            await delay(RECONNECT_MS)
          }
        }
      }

      return {
        closed: keep(),
        async drain(drainOptions) {
          isStopping = true
          return current?.drain(drainOptions) ?? { unfinished: 0 }
        },
      }
    },
    async left(place) {
      const { messageCount } = await (await channelOf(place)).checkQueue(place.name)
      quietSince = messageCount === 0 ? (quietSince ?? performance.now()) : undefined
      return quietSince !== undefined && performance.now() - quietSince > QUIET_MS ? 0 : messageCount + 1
    },
    deadLetters: async (place) => (await lettersOf(place)).map(({ properties }) => String(properties.messageId)),
    close: () => Promise.all([...connections].map((connection) => connection.close().catch(() => {}))),
  }

  async function lettersOf(place: Place): Promise<readonly GetMessage[]> {
    const channel = await channelOf(place)
    const letters: GetMessage[] = []
    for (;;) {
      const message = await channel.get(`${place.name}-dead`, { noAck: true })
      if (!message) return letters
      letters.push(message)
    }
  }
}
