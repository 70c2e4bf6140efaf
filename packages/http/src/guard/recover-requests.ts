/** Runs recorded HTTP requests again whose clients did not come back. */
import type { Idempotency, Policies, Recovery } from '@retryproof/core'
import type { HttpResponse } from '../protocol/exchange.ts'
import { type RecordPolicy, readRecordPolicy } from './answer/record-policy.ts'
import { responseSerializer } from './answer/stored-response.ts'
import { toResult } from './answer/to-result.ts'
import type { HandlerAttempt } from './ports.ts'
import { type KeptRequest, readKept } from './request/kept-request.ts'

export interface RecoverRequestsOptions extends Omit<Policies, 'serializer' | 'onInProgress' | 'replay'> {
  /** Its name, as `idempotent` has it: method and route pattern, unless it was named. */
  readonly operation: string
  /** As of `idempotent`: which answers are recorded. @default 'final' */
  readonly record?: RecordPolicy
  /** Does what the request asked, and gives the answer that its client finds with its next try. */
  readonly handler: (request: KeptRequest, attempt: HandlerAttempt) => HttpResponse | Promise<HttpResponse>
  /** Tells whether the caller may still do this. A request that is refused is parked, for a person to look at. */
  readonly authorize: (request: KeptRequest) => boolean | Promise<boolean>
  /** The number of records that are taken up at most. @default 1000 */
  readonly limit?: number
}

/**
 * Takes up requests that a crash interrupted, and finishes them without waiting for their clients. `storeRequest` has to
 * be that of `idempotent`.
 *
 * @example
 * import { recoverRequests } from '@retryproof/http'
 *
 * const { finished } = await recoverRequests(idempotency, {
 *   operation: 'POST /charges',
 *   authorize: ({ scope }) => scope !== 'user_13',
 *   handler: async (request, attempt) => {
 *     const { amount } = JSON.parse(new TextDecoder().decode(request.body)) as { amount: number }
 *     const charge = await provider.charge(amount, { idempotencyKey: attempt.keyFor('charge') })
 *     return { status: 201, headers: [], body: new TextEncoder().encode(JSON.stringify(charge)) }
 *   },
 * })
 *
 * @throws IdempotencyInvalidOptionError
 */
export function recoverRequests(
  idempotency: Pick<Idempotency, 'operation'>,
  { operation, record = 'final', handler, authorize, limit, ...policies }: RecoverRequestsOptions,
): Promise<Recovery> {
  const records = readRecordPolicy(record)
  const recoverable = idempotency.operation(operation, { ...policies, serializer: responseSerializer })
  return recoverable.recover({
    authorize: (call) => authorize(readKept(call)),
    handler: async (call, attempt) => {
      const response = await handler(readKept(call), attempt as HandlerAttempt)
      return toResult({ response, replayable: true }, records)
    },
    ...(limit !== undefined && { limit }),
  })
}
