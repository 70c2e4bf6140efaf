/** What the core records of an answer. */
import { handBack, unreplayable } from '@retryproof/core'
import { type HandlerAnswer, type HttpResponse, headerValues } from './exchange.ts'
import type { AnswerHead } from './outcome-policy.ts'
import type { AnswerSummary } from './problems.ts'
import { storable } from './stored-response.ts'

/** The final status decides, whether it was thrown or returned. */
export function toResult({ response, replayable }: HandlerAnswer, records: (answer: AnswerHead) => boolean) {
  const { status, headers } = response
  if (!records({ status, headers })) return handBack(response)
  if (replayable && !isCoded(response)) return storable(response)
  const [location] = headerValues(headers, 'location')
  const summary: AnswerSummary = location === undefined ? { status } : { status, location }
  return unreplayable(response, summary)
}

/** Bytes that were compressed for one client would be noise to another. */
function isCoded({ headers }: HttpResponse): boolean {
  return headerValues(headers, 'content-encoding').some((coding) => coding.toLowerCase() !== 'identity')
}
