/** The form in which the core records an answer. */
import { release, unreplayable } from '@retryproof/core'
import { releaseAfter } from '@retryproof/core/internal'
import type { HandlerAnswer, HttpResponse } from '../../protocol/exchange.ts'
import { isCoded } from './media.ts'
import type { GivenAnswer } from './record-policy.ts'
import { storable, summaryOf } from './stored-response.ts'

/** Records an answer, or releases the key: the final status decides. */
export function toResult(answer: HandlerAnswer, records: (answer: GivenAnswer) => boolean) {
  const held = isHeld(answer)
  return records(given(answer.response, held)) ? recorded(answer, held) : release(answer.response)
}

/** Records the answer to a throw by its status as well, but never as a success: an answer below 400 releases the key. */
export function toResultOfThrow(
  error: unknown,
  answer: HandlerAnswer,
  records: (answer: GivenAnswer) => boolean,
): ReturnType<typeof toResult> {
  const held = isHeld(answer)
  const isRecorded = answer.response.status >= 400 && records(given(answer.response, held))
  return isRecorded ? recorded(answer, held) : releaseAfter(error, answer.response)
}

function recorded({ response }: HandlerAnswer, held: boolean) {
  return held ? storable(response) : unreplayable(response, summaryOf(response))
}

/** Tells whether the bytes can be replayed: those that were compressed for one client would be noise to another. */
function isHeld({ response, replayable }: HandlerAnswer): boolean {
  return replayable && !isCoded(response)
}

const utf8 = new TextDecoder()

function given({ status, headers, body: bytes }: HttpResponse, held: boolean): GivenAnswer {
  const body = held ? bytes : undefined
  return {
    status,
    headers,
    body,
    json() {
      try {
        return body && JSON.parse(utf8.decode(body))
      } catch {
        return undefined
      }
    },
  }
}
