/** Reads a delivery: its body, and by the options its id, scope and payload. */
import type { Reference, Scope } from '@retryproof/core'
import { describeThrown, isNotStarted } from '@retryproof/core/internal'
import type { IncomingMessage } from '../once/message.ts'
import type { DeadLetter } from '../once/verdict.ts'
import type { ConsumerOptions } from './consumer-options.ts'
import type { Delivery } from './delivery.ts'
import { ID_HEADER } from './letter-headers.ts'

type Readers<Message, Body> = Pick<ConsumerOptions<Message, Body, boolean>, 'scope' | 'id' | 'payload'> &
  Required<Pick<ConsumerOptions<Message, Body, boolean>, 'parse'>>

/** The parts of a delivery that `once` needs. */
export interface Readable<Body> extends Pick<IncomingMessage, 'id' | 'scope' | 'payload'> {
  readonly body: Body
}

/**
 * Reads a delivery, or says as a dead letter why it cannot be read. Throws what a reader threw as `notStarted(error)`: a
 * reason that passes. `hasRecord` asks the store.
 */
export async function readDelivery<Message, Body>(
  { parse, id, scope, payload }: Readers<Message, Body>,
  delivery: Delivery<Message>,
  hasRecord: (reference: Omit<Reference, 'operation'>) => Promise<boolean>,
): Promise<Readable<Body> | DeadLetter> {
  const { message } = delivery
  let read: Omit<Readable<Body>, 'id'>
  let name: unknown
  try {
    const bytes = delivery.body()
    const body = (await parse(bytes, message)) as Body
    if (id) name = await id(body, message)
    read = {
      body,
      scope: typeof scope === 'function' ? await scope(body, message) : scope,
      payload: payload ? await payload(body, message) : bytes,
    }
  } catch (error) {
    if (isNotStarted(error)) throw error.error
    return { reason: 'unreadable', description: `It cannot be read: ${describeThrown(error)}`, error }
  }
  if (!id) {
    const own = await idOf(delivery, read.scope, hasRecord)
    // different bytes that are no text become the same one
    if (own?.includes('\ufffd')) return { reason: 'invalid', description: 'Its id is no UTF-8 text.' }
    name = own
  }
  if (name === undefined || name === null || name === '') return { reason: 'no-id', description: 'It has no id.' }
  if (typeof name === 'string') return { ...read, id: name }
  const description = `Its id is a ${typeof name}: \`id\` must return a text, String(order.id) for instance.`
  return { reason: 'invalid', description }
}

/**
 * Returns the message's id. An id in the headers of a dead letter counts only where a record of it exists: any publisher
 * can write those headers, and would else take the id of a message that is yet to come.
 */
async function idOf<Message>(
  { messageId, header }: Delivery<Message>,
  scope: Scope,
  hasRecord: (reference: Omit<Reference, 'operation'>) => Promise<boolean>,
): Promise<string | undefined> {
  const claimed = header(ID_HEADER)
  if (claimed === undefined || claimed === messageId) return messageId
  return messageId === undefined || (await hasRecord({ key: claimed, scope })) ? claimed : messageId
}
