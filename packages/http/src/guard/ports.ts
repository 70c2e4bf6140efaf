/** Ports of a guard: notifications, the status resource, and the attempt that a handler is given. */
import type { Attempt, Steps } from '@retryproof/core'
import type { HttpResponse } from '../protocol/exchange.ts'
import { Refusal } from '../protocol/refusal.ts'

/** An answer, as a notifier sends it. */
export interface Notice {
  /** The path of the status resource, where the answer can be read too. */
  readonly location: string
  readonly response: HttpResponse
}

/** Delivers answers, best effort: the record stays the truth, and the status resource serves it. */
export interface Notifier<Native> {
  /**
   * Gives the address at which this request wants its answer; `undefined`: nowhere.
   *
   * @throws the error that `callbackRefused()` makes, for an address that is not allowed
   */
  address(request: Native): URL | undefined
  /** Never rejects. */
  deliver(address: URL, notice: Notice): Promise<void>
}

/**
 * Makes the error by which a notifier refuses an address: the guard answers it with 400.
 *
 * @example
 * import { callbackRefused } from '@retryproof/http'
 *
 * function address(request: Request): URL {
 *   const url = new URL(request.headers.get('callback-url') ?? 'https://hooks.example.com')
 *   if (!url.hostname.endsWith('.example.com')) throw callbackRefused()
 *   return url
 * }
 */
export function callbackRefused(): Error {
  return new Refusal('callback-refused')
}

/** The attempt, as a handler gets it. In a transaction it has no steps: the transaction is one step. */
export type HandlerAttempt = Attempt & Steps<unknown>

export interface StatusResource<Native> {
  /** Gives the path of one operation. Its reader still has to be allowed to see the answer. */
  locate(operation: string, key: string): Promise<string>
  /** Answers `GET <path>/<id>`: with 202 for as long as there is no answer, then with the answer. */
  answer(id: string, request: Native): Promise<HttpResponse>
}
