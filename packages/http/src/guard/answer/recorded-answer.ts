/** The form in which the core records an answer. */
import { release, unreplayable } from '@retryproof/core'
import { releaseAfter } from '@retryproof/core/internal'
import type { HandlerAnswer } from '../../protocol/exchange.ts'
import { isCoded } from './media.ts'
import type { AnswerHead } from './record-policy.ts'
import { storable, summaryOf } from './stored-response.ts'

/** Records an answer, or releases the key: the final status decides. */
export function toResult({ response, replayable }: HandlerAnswer, records: (answer: AnswerHead) => boolean) {
  const { status, headers } = response
  if (!records({ status, headers })) return release(response)
  if (replayable && !isCoded(response)) return storable(response)
  return unreplayable(response, summaryOf(response))
}

/** Records the answer to a throw by its status as well, but never as a success: an answer below 400 releases the key. */
export function toResultOfThrow(
  error: unknown,
  answer: HandlerAnswer,
  records: (answer: AnswerHead) => boolean,
): ReturnType<typeof toResult> {
  const { status, headers } = answer.response
  const isRecorded = status >= 400 && records({ status, headers })
  return isRecorded ? toResult(answer, records) : releaseAfter(error, answer.response)
}
