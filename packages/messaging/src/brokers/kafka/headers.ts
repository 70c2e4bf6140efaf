/** Headers of Kafka's messages, which two clients give in two shapes. */
import type { KafkaMessage } from './client.ts'

/** Keeps the order of names and values; a name may be there more than once. */
export type HeaderList = readonly (readonly [name: string, value: Buffer])[]

/**
 * Reads the headers of a message. kafkajs collects them in a plain object: a header named `constructor` stands there
 * beside the member of that name, so that only texts and bytes count.
 */
export function headersOf({ headers }: KafkaMessage): HeaderList {
  const entries: Iterable<readonly [unknown, unknown]> =
    Symbol.iterator in Object(headers) ? (headers as Map<unknown, unknown>) : Object.entries(headers ?? {})
  return [...entries].flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((one) => typeof one === 'string' || ArrayBuffer.isView(one))
      .map((one) => [String(name), Buffer.from(one as Uint8Array)] as const),
  )
}

/** Reads the last header of that name as a text. */
export function headerIn(message: KafkaMessage, wanted: string): string | undefined {
  return headersOf(message)
    .findLast(([name]) => name === wanted)?.[1]
    .toString()
}
