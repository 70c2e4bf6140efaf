/** Publishes dead letters on a confirm channel, as mandatory messages. */
import { randomUUID } from 'node:crypto'
import type { LetterParts } from '../../consumer/delivery.ts'
import type { RabbitAddress, RabbitChannel, RabbitMessage } from './client.ts'

export interface Letters {
  publish(message: RabbitMessage, letter: LetterParts): Promise<void>
  /** Rejects those that are not confirmed: their channel closed. */
  close(): void
}

/** Headers by which the broker, or a plugin of it, routes, delays or drops a message. They keep their value under a name of ours. */
const ROUTING = /^(cc|bcc|x-delay|x-delivery-count|x-death|x-(first|last)-death-.*|x-stream-.*)$/i
/** Properties that say something to people. The others (`expiration`, `userId`, a direct `replyTo`) act on the broker. */
const KEPT = ['contentType', 'contentEncoding', 'priority', 'correlationId', 'timestamp', 'type', 'appId']
const MARK = 'retryproof-mark'
/** amqplib encodes at most 64 KiB of headers, and reads more. */
const MAX_HEADERS = 32_768

export function createLetters(channel: RabbitChannel, { exchange, routingKey }: RabbitAddress, queue: string): Letters {
  const pending = new Map<string, { isReturned: boolean; reject(error: Error): void }>()
  // a message that no queue takes is returned, and confirmed after that
  channel.on('return', ({ properties }) => {
    const letter = pending.get(String(properties.headers?.[MARK]))
    if (letter) letter.isReturned = true
  })
  return {
    publish(message, letter) {
      const mark = randomUUID()
      const content = letter.withBody ? message.content : new Uint8Array()
      const options = { ...optionsOf(message, letter, mark), persistent: true, mandatory: true }
      return new Promise<void>((resolve, reject) => {
        const entry = { isReturned: false, reject }
        pending.set(mark, entry)
        channel.publish(exchange, routingKey, Buffer.from(content), options, (error) => {
          if (error) reject(error)
          else if (entry.isReturned) reject(new Error(`No queue takes the dead letters of '${queue}'.`))
          else resolve()
        })
      }).finally(() => pending.delete(mark))
    },
    close() {
      const error = new Error('The channel closed before the dead letter was confirmed.')
      for (const { reject } of pending.values()) reject(error)
    },
  }
}

function optionsOf({ properties }: RabbitMessage, { headers, withHeaders }: LetterParts, mark: string): object {
  const own = { ...headers, [MARK]: mark }
  const messageId = typeof properties.messageId === 'string' && { messageId: properties.messageId }
  if (!withHeaders) return { ...messageId, headers: own }
  const all = properties as Record<string, unknown>
  const kept = KEPT.filter((name) => all[name] !== undefined).map((name) => [name, all[name]])
  const foreign = Object.entries(properties.headers ?? {}).map(([name, value]) => [
    ROUTING.test(name) ? `retryproof-${name.toLowerCase()}` : name,
    value,
  ])
  if (JSON.stringify(foreign).length > MAX_HEADERS) throw new RangeError('The headers are too large to be encoded.')
  return { ...Object.fromEntries(kept), ...messageId, headers: { ...Object.fromEntries(foreign), ...own } }
}
