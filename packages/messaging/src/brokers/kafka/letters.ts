/** Dead letters of Kafka: their form, and the errors of a producer that will not pass. */

import type { LetterParts } from '../../consumer/delivery.ts'
import type { KafkaLetter, KafkaMessage } from './client.ts'
import { headersOf } from './headers.ts'

/** Size from which a message may have been compressed to fit the broker's limit, in bytes. */
const LARGE = 100_000

const REFUSALS = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'INVALID_TIMESTAMP']

/** Forms a dead letter. A smaller one leaves out foreign headers, then the body, and names the original by its key. */
export function letterOf(
  topic: string,
  message: KafkaMessage,
  { headers, withHeaders, withBody }: LetterParts,
): KafkaLetter {
  const { key, value } = message
  const foreign = withHeaders ? headersOf(message).filter(([name]) => !Object.hasOwn(headers, name)) : []
  const own = Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)] as const)
  // a compacted topic takes no letter without a key
  const way = `${message.topic}/${message.partition}/${message.offset}`
  return {
    topic,
    key: withBody ? (key ? Buffer.from(key) : null) : Buffer.from(way),
    value: withBody ? (value ? Buffer.from(value) : null) : Buffer.from(''),
    headers: [...foreign, ...own],
    isLarge: withBody && (value?.byteLength ?? 0) > LARGE,
  }
}

/** Looks for a refusal in an error, in its cause and in those that it has collected. */
export function isRefusal(error: unknown): boolean {
  const { name, type, apiId, cause, errors } = Object(error) as Record<string, unknown>
  if (name === 'RangeError' || name === 'TypeError') return true
  if (REFUSALS.includes(String(type)) || REFUSALS.includes(String(apiId))) return true
  const inner = [cause, ...(Array.isArray(errors) ? errors : [])]
  return inner.some((each) => each !== undefined && isRefusal(each))
}
