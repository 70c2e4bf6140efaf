/** The contract between a guard and a server: how a handler is run, and how it ended. */
import type { HandlerAnswer, HttpResponse } from '../protocol/exchange.ts'
import type { BodyLimits } from './answer/held-body.ts'
import type { HandlerAttempt } from './ports.ts'

/**
 * The end of a handler. Of several endings the worst counts: a throw is a throw, whatever answers it. A handler that
 * destroyed its answer has no end: `execute` rejects, and the key is released as unresolved.
 */
export type HandlerEnd = Answered | Threw

/** An answer may be complete while its handler is still at work: a time-out may have given it. */
interface Outlasted {
  /**
   * Lets the answer go, and gives the end of the handler itself. The guard asks for it where the answer would free the key,
   * since a handler that is at work must not have a second one beside it. Undefined where the handler has ended.
   */
  readonly outlast?: () => Promise<HandlerEnd>
}

/** The handler returned, and its answer is complete. */
export interface Answered extends Outlasted {
  readonly kind: 'answered'
  readonly answer: HandlerAnswer
}

/** The handler threw `error`, which may be any value, or passed it on to an error handler. */
export interface Threw extends Outlasted {
  readonly kind: 'threw'
  readonly error: unknown
  /**
   * Lets the error path of the framework answer, and gives that answer. In a transaction the guard calls it after the
   * rollback, and not at all where the work is run again. Rejects where nobody answers.
   */
  answer(): Promise<HandlerAnswer>
}

/** The terms of one run of a handler. */
export interface HandlerRun<Tx> {
  /** The open transaction, where the options ask for one. */
  readonly tx: Tx | undefined
  /** The limits that hold for the body of the answer. */
  readonly limits: BodyLimits
}

/** The calls that a guard makes of a server. */
export interface HandlerCalls<Tx> {
  /**
   * Runs the handler, and gives its end once that is known. Holds the end of its answer back until the decision is there,
   * so that no answer leaves before it is recorded. In a transaction it may be called again after a conflict.
   */
  execute(attempt: HandlerAttempt, run: HandlerRun<Tx>): Promise<HandlerEnd>
  /** Answers the client now; `execute` comes afterwards, and its answer is only recorded. */
  answerEarly(response: HttpResponse): Promise<void>
}

/**
 * Makes the end of a handler that returned, and whose answer is complete.
 *
 * @example
 * import { answered } from '@retryproof/http'
 *
 * answered({ response: { status: 204, headers: [], body: new Uint8Array() }, replayable: true })
 */
export function answered(answer: HandlerAnswer): Answered {
  return { kind: 'answered', answer }
}

/**
 * Makes the end of a handler that threw. `answer` lets the error path of the framework answer.
 *
 * @example
 * import { threw } from '@retryproof/http'
 *
 * threw(new Error('The provider is down.'), async () => ({
 *   response: { status: 502, headers: [], body: new Uint8Array() },
 *   replayable: true,
 * }))
 */
export function threw(error: unknown, answer: Threw['answer']): Threw {
  return { kind: 'threw', error, answer }
}
