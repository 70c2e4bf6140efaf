/** Telling somebody an answer that nobody waits for. */

import type { Attempt, Steps } from '@retryproof/core'
import type { HandlerAnswer, HttpResponse } from '../protocol/exchange.ts'

export interface Notice {
  /** Where the answer can be had, too. */
  readonly location: string
  readonly response: HttpResponse
}

/** Best effort: what matters is the record, and whoever is not reached can ask the status resource. */
export interface Notifier<Native> {
  /**
   * Where this request wants to be told; `undefined`: nowhere.
   *
   * @throws Refusal for an address that is not allowed
   */
  address(request: Native): URL | undefined
  /** Never rejects. */
  deliver(address: URL, notice: Notice): Promise<void>
}

/** What a handler is told about the attempt that it is. In a transaction it has no steps: that is one step. */
export type HandlerAttempt = Attempt & Steps<unknown>

export interface HandlerCalls<Tx> {
  /**
   * Runs the handler, and gives what it answered once that is complete. Its end is held back until the decision is
   * there, so that no answer leaves before it is recorded. In a transaction it may be called again after a conflict.
   */
  execute(attempt: HandlerAttempt, tx: Tx | undefined): Promise<HandlerAnswer>
  /** Answers the client now; `execute` comes afterwards, and what it gives is only recorded. */
  answerEarly(response: HttpResponse): Promise<void>
}

export interface StatusResource<Native> {
  /** The path of one operation: whoever has it still has to be allowed to see the answer. */
  locate(operation: string, key: string): Promise<string>
  /** What `GET <path>/<id>` is answered with: 202 for as long as there is no answer, then the answer. */
  answer(id: string, request: Native): Promise<HttpResponse>
}
