/** Types of handlers, and of the variable that they read. */
import type { HandlerAttempt } from '@retryproof/http'
import type { Context } from 'hono'

/** Types `c.get('idempotency')`: the attempt, or `undefined` where the request passed without protection. */
export interface IdempotencyVariables {
  readonly idempotency: HandlerAttempt | undefined
}

/** The environment of a guarded route. */
export interface IdempotencyEnv {
  Variables: IdempotencyVariables
}

/** A handler that is given to `idempotent` instead of coming after it. */
export type IdempotentHandler<Given = { readonly attempt: HandlerAttempt | undefined }> = (
  c: Context,
  /** `attempt` is undefined where the request passed without protection: another method, or no key and none required. */
  context: Given,
) => Response | Promise<Response>

/** A handler that writes on an open transaction, which commits together with its answer, and not if it throws. */
export type TransactionHandler<Tx> = IdempotentHandler<{ readonly attempt: HandlerAttempt; readonly tx: Tx }>
