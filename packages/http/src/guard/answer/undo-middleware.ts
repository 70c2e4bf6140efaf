/** Undoes what middleware inside of the guard did to an answer, before it is recorded. */
import {
  changedFields,
  type HandlerAnswer,
  type HeaderField,
  type HttpResponse,
  removedFields,
} from '../../protocol/exchange.ts'
import { isCoded } from './media.ts'

export interface SentFields {
  /** The headers that were there before the binding. */
  readonly before: readonly HeaderField[]
  /** The names of those that leave. */
  readonly names: readonly string[]
}

/**
 * Gives an answer as it is recorded: without the headers that were there before the binding, and, where it was compressed
 * for one client, in the bytes of before that.
 *
 * @example
 * import { recordable } from '@retryproof/http'
 *
 * const body = new TextEncoder().encode('{"charged":100}')
 * const response = { status: 201, headers: [['Vary', 'Origin'], ['Content-Type', 'application/json']] as const, body }
 * const before = [['Vary', 'Origin']] as const
 * recordable({ response, replayable: true }, undefined, { before, names: ['vary', 'content-type'] }) // without Vary
 */
export function recordable(
  { response, replayable }: HandlerAnswer,
  serialized: HttpResponse | undefined,
  { before, names }: SentFields,
): HandlerAnswer {
  const isKnown = serialized?.status === response.status && isCoded(response) && !isCoded(serialized)
  const { status, headers, body } = isKnown ? serialized : response
  // those of a head may not be set on the response
  const leaving = before.length > 0 ? [...names, ...response.headers.map(([name]) => name)] : names
  const fields = { headers: changedFields(headers, before), ...removedFields(leaving, before) }
  return { response: { status, ...fields, body }, replayable: isKnown || replayable }
}
