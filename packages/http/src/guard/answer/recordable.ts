import {
  changedFields,
  type HandlerAnswer,
  type HeaderField,
  type HttpResponse,
  headerValues,
} from '../../protocol/exchange.ts'

/**
 * An answer as it is recorded: without the headers that were there before the binding, and where it was compressed for
 * one client, as it was before that.
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

function isCoded({ headers }: HttpResponse): boolean {
  return headerValues(headers, 'content-encoding').length > 0
}
