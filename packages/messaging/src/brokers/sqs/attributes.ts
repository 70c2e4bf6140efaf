/** Attributes of a dead letter. SQS takes ten of them, so that most of ours stand in one. */
import type { LetterParts } from '../../consumer/delivery.ts'
import { ID_HEADER, REASON_HEADER, ROUND_HEADER } from '../../consumer/letter-headers.ts'
import type { SqsAttribute, SqsMessage } from './client.ts'

const LETTER = 'retryproof-dead-letter'
/** Headers of ours that are read when a dead letter comes back. */
const READ = [REASON_HEADER, ID_HEADER, ROUND_HEADER]
const OWN = [...READ, LETTER]
const MAX_ATTRIBUTES = 10

export function attributesOf(
  { MessageAttributes = {} }: SqsMessage,
  { headers, withHeaders }: LetterParts,
): Record<string, SqsAttribute> {
  // the AWS client has no value for an attribute that is named `__proto__`
  const readable = Object.entries(MessageAttributes).filter(([, value]: [string, SqsAttribute | undefined]) => value)
  const given = withHeaders ? readable.filter(([name]) => !OWN.includes(name)) : []
  const room = MAX_ATTRIBUTES - OWN.length
  const moved = Object.fromEntries(given.slice(room).map(([name, value]) => [name, inText(value)]))
  const entries = Object.entries(headers)
  const told = {
    ...Object.fromEntries(entries.filter(([name]) => !READ.includes(name))),
    ...(given.length > room && { attributes: moved }),
  }
  return {
    ...Object.fromEntries(given.slice(0, room)),
    ...Object.fromEntries(entries.filter(([name]) => READ.includes(name)).map(([name, text]) => [name, string(text)])),
    [LETTER]: string(JSON.stringify(told)),
  }
}

/** Reads an attribute of ours as a text. */
export function attributeIn({ MessageAttributes = {} }: SqsMessage, name: string): string | undefined {
  return Object.hasOwn(MessageAttributes, name) ? MessageAttributes[name]?.StringValue : undefined
}

const string = (value: string): SqsAttribute => ({ DataType: 'String', StringValue: value })

function inText({ StringValue, BinaryValue = new Uint8Array() }: SqsAttribute): string {
  return StringValue ?? Buffer.from(BinaryValue).toString('base64')
}
