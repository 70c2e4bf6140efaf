/** Handlers that are given to `idempotent`. */
import type { HandlerAttempt } from '@retryproof/http'
import type { Context } from 'koa'

/** A handler that is given to `idempotent` instead of coming after it. */
export type IdempotentHandler<Told = { readonly attempt: HandlerAttempt | undefined }> = (
  ctx: Context,
  /** `attempt` is undefined where the request passed without protection: another method, or no key and none required. */
  context: Told,
) => unknown

/** A handler that writes on an open transaction, which commits together with what it answers, and not if it throws. */
export type TransactionHandler<Tx> = IdempotentHandler<{ readonly attempt: HandlerAttempt; readonly tx: Tx }>
