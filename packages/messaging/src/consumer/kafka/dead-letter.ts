/** The headers of Kafka's messages, which two clients give in two shapes, and those of a dead letter. */

import type { DeadLetter } from '../../once/verdict.ts'
import { deadLetterHeaders } from '../dead-letter-headers.ts'
import type { KafkaMessage } from './client.ts'

/** Names and values in their order; a name may be there more than once. */
export type HeaderList = readonly (readonly [name: string, value: Buffer])[]

export function headersOf({ headers = {} }: KafkaMessage): HeaderList {
  const entries = headers instanceof Map ? [...headers] : Object.entries(headers)
  return entries.flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((one) => one !== undefined && one !== null)
      .map((one) => [Buffer.from(name).toString(), Buffer.from(one)] as const),
  )
}

export function deadLetterHeadersOf(group: string, message: KafkaMessage, letter: DeadLetter): HeaderList {
  const { topic, partition, offset } = message
  const own = {
    ...deadLetterHeaders(group, letter),
    'retryproof-topic': topic,
    'retryproof-partition': String(partition),
    'retryproof-offset': String(offset),
  }
  const given = headersOf(message).filter(([name]) => !Object.hasOwn(own, name))
  return [...given, ...Object.entries(own).map(([name, value]) => [name, Buffer.from(value)] as const)]
}
