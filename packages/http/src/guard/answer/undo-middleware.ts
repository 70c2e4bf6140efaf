/** Undoes what middleware inside of the guard did to an answer, before it is recorded. */
import { changedFields, type HandlerAnswer, type HeaderField, type HttpResponse } from '../../protocol/exchange.ts'
import { isCoded } from './media.ts'

/**
 * Gives an answer as it is recorded: without the headers that were there before the binding, and, where it was compressed
 * for one client, in the bytes of before that.
 *
 * @example
 * import { recordable } from '@retryproof/http'
 *
 * const body = new TextEncoder().encode('{"charged":100}')
 * const response = { status: 201, headers: [['Vary', 'Origin'], ['Content-Type', 'application/json']] as const, body }
 * recordable({ response, replayable: true }, undefined, [['Vary', 'Origin']]) // without Vary, which was there before
 */
export function recordable(
  { response, replayable }: HandlerAnswer,
  serialized: HttpResponse | undefined,
  before: readonly HeaderField[],
): HandlerAnswer {
  const isKnown = serialized?.status === response.status && isCoded(response) && !isCoded(serialized)
  const { status, headers, body } = isKnown ? serialized : response
  return { response: { status, headers: changedFields(headers, before), body }, replayable: isKnown || replayable }
}
