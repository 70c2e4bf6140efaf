import type { IncomingMessage } from 'node:http'
import type { HandlerRun } from '../../guard/handler-end.ts'
import type { HandlerAttempt } from '../../guard/ports.ts'
import type { HandlerAnswer, HttpResponse } from '../../protocol/exchange.ts'

/** Errors of a handler that its framework does not give to the binding. */
export interface ErrorListeners {
  /** Called for each error that the framework's own error path is given before the answer is complete. */
  onError(error: unknown): void
  /** Called for an error that the framework tells nobody: it answers nothing. */
  onLost(error: unknown): void
}

/** The work of a handler that has returned. */
export interface Working {
  readonly end: Promise<void>
}

/** The translation between a framework and the chain. Nothing of it decides how a handler ended. */
export interface NodeBinding<Tx> {
  /** The request. The `req` of a response that stands for a cloud function's answer is not always the whole one. */
  readonly req: IncomingMessage
  /**
   * Starts the handler. Rejects with what it threw, and resolves when it returned, where the framework tells that: with the
   * answer that it left for the framework to write, if any.
   */
  run(tx: Tx | undefined): Promise<HandlerAnswer | undefined> | Promise<void>
  /** Hands an error, which may be any value, to the error path of the framework, which answers. */
  fail(error: unknown): void
  /** Sends a response instead of the handler's. */
  send(response: HttpResponse): void
  /** Lets the framework go on, once the handler returned and its answer is decided: it writes what the handler left. */
  goOn?(): void
  /** Begins to tell of errors that the chain does not see by itself. */
  watchErrors?(listeners: ErrorListeners): void
  /** Undoes what an attempt set on the framework's response, before the next attempt or another answer. */
  reset?(): void
  /**
   * Gives the work of a handler that comes after the binding, where `run` does not wait for it. Undefined where none is known
   * to be at work.
   */
  working?(): Promise<Working | undefined> | Working | undefined
  /** Makes the framework's response look unanswered, once somebody has answered while the handler was at work. */
  renew?(): void
  /** Begins an attempt. Its signal is made when it is asked for. */
  begin?(run: HandlerRun<Tx>, attempt: Pick<HandlerAttempt, 'signal'>): void
  /** Gives an answer as it is to be recorded, such as before compression. */
  recordable?(answer: HandlerAnswer): HandlerAnswer
}
