/** Handlers that are given to `idempotent`. */
import type { HandlerAttempt } from '@retryproof/http'
import type { Request, Response } from 'express'

/** A handler that is given to `idempotent` instead of coming after it. Its errors go to Express's error handlers. */
export type IdempotentHandler = (
  req: Request,
  res: Response,
  /** `attempt` is undefined where the request passed without protection: another method, or no key and none required. */
  context: { readonly attempt: HandlerAttempt | undefined },
) => unknown

/** A handler that writes on an open transaction, which commits together with what it answers. */
export type TransactionHandler<Tx> = (
  req: Request,
  res: Response,
  context: { readonly attempt: HandlerAttempt; readonly tx: Tx },
) => unknown
