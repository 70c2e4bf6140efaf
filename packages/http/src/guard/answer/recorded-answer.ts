/** What the core records of an answer. */
import { release, unreplayable } from '@retryproof/core'
import { type HandlerAnswer, type HttpResponse, headerValues } from '../../protocol/exchange.ts'
import type { AnswerHead } from './record-policy.ts'
import { storable, summaryOf } from './stored-response.ts'

/** The final status decides, whether it was thrown or returned. */
export function toResult({ response, replayable }: HandlerAnswer, records: (answer: AnswerHead) => boolean) {
  const { status, headers } = response
  if (!records({ status, headers })) return release(response)
  if (replayable && !isCoded(response)) return storable(response)
  return unreplayable(response, summaryOf(response))
}

/** Bytes that were compressed for one client would be noise to another. */
function isCoded({ headers }: HttpResponse): boolean {
  return headerValues(headers, 'content-encoding').some((coding) => coding.toLowerCase() !== 'identity')
}
