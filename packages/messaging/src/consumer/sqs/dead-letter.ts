/** The attributes of a dead letter in SQS, which takes ten at most, so that most of what is said stands in one. */

import type { DeadLetter } from '../../once/verdict.ts'
import { deadLetterHeaders, ID_HEADER, REASON_HEADER } from '../dead-letter-headers.ts'
import type { SqsAttribute, SqsMessage } from './client.ts'

const OWN = [REASON_HEADER, ID_HEADER, 'retryproof-dead-letter']
const MAX_ATTRIBUTES = 10

export function deadLetterAttributes(
  group: string,
  { MessageId, MessageAttributes = {} }: SqsMessage,
  letter: DeadLetter,
): Record<string, SqsAttribute> {
  const given = Object.entries(MessageAttributes).filter(([name]) => !OWN.includes(name))
  const room = MAX_ATTRIBUTES - OWN.length
  const moved = Object.fromEntries(given.slice(room).map(([name, value]) => [name, inText(value)]))
  const { [REASON_HEADER]: reason, ...rest } = deadLetterHeaders(group, letter)
  const id = MessageAttributes[ID_HEADER]?.StringValue ?? MessageId
  return {
    ...Object.fromEntries(given.slice(0, room)),
    [REASON_HEADER]: string(reason),
    ...(id && { [ID_HEADER]: string(id) }),
    'retryproof-dead-letter': string(JSON.stringify({ ...rest, ...(given.length > room && { attributes: moved }) })),
  }
}

const string = (value: string | undefined): SqsAttribute => ({ DataType: 'String', StringValue: value })

function inText({ StringValue, BinaryValue }: SqsAttribute): string {
  return StringValue ?? btoa(String.fromCharCode(...(BinaryValue ?? [])))
}
