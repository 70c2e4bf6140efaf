/** Injects the attempt into a handler. */
import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import { attemptFor, type HandlerAttempt } from '@retryproof/http'

/**
 * The attempt that handles this request; `undefined` where it passed without protection.
 *
 * @example
 * import { attemptOf } from '@retryproof/nestjs'
 *
 * const providerKey = attemptOf(request)?.keyFor('charge')
 */
export function attemptOf(request: object): HandlerAttempt | undefined {
  return attemptFor(request)
}

/**
 * The attempt, as a parameter of a handler: `create(@Attempt() attempt: HandlerAttempt)`. `undefined` where the request
 * passed without protection: another method, or no key and none required.
 *
 * @example
 * import { Controller, Post } from '@nestjs/common'
 * import type { Attempt as CurrentAttempt } from '@retryproof/core'
 * import { Attempt, UseIdempotency } from '@retryproof/nestjs'
 *
 * @Controller('charges')
 * export class ChargesController {
 *   @Post()
 *   @UseIdempotency()
 *   create(@Attempt() attempt: CurrentAttempt) {
 *     return provider.charge(100, { idempotencyKey: attempt.keyFor('charge') })
 *   }
 * }
 */
export const Attempt = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  attemptFor(requestOf(context)),
)

/**
 * The transaction, as a parameter of a handler that has `transaction: true`.
 *
 * @example
 * import { Body, Controller, Post } from '@nestjs/common'
 * import { UseIdempotency, Transaction } from '@retryproof/nestjs'
 * import type { PoolClient } from 'pg'
 *
 * @Controller('orders')
 * export class OrdersController {
 *   @Post()
 *   @UseIdempotency({ transaction: true })
 *   async create(@Body() order: { item: string }, @Transaction() tx: PoolClient) {
 *     await tx.query('INSERT INTO orders (item) VALUES ($1)', [order.item])
 *     return order
 *   }
 * }
 *
 * @throws IdempotencyInvalidOptionError where there is none
 */
export const Transaction = createParamDecorator((_data: unknown, context: ExecutionContext) => {
  const { [TRANSACTION]: tx } = requestOf(context)
  if (tx !== undefined) return tx
  throw new IdempotencyInvalidOptionError(
    'transaction',
    'is not open: set it for this route, @UseIdempotency({ transaction: true })',
  )
})

export function setTransaction(request: object, tx: unknown): void {
  Object.assign(request, { [TRANSACTION]: tx })
}

const TRANSACTION = Symbol('retryproof.transaction')

function requestOf(context: ExecutionContext): { readonly [TRANSACTION]?: unknown } {
  return context.switchToHttp().getRequest<{ readonly [TRANSACTION]?: unknown }>()
}
