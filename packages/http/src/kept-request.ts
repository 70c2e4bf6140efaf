/** Requests that `storeRequest` keeps with their records, and finishing them without their clients. */
import {
  type Idempotency,
  InvalidOptionError,
  type KeptCall,
  type Policies,
  type Recovery,
  type Scope,
} from '@retryproof/core'
import { joinLine, splitLine } from './bytes.ts'
import { type Exchange, type HeaderField, type HttpResponse, headerValues } from './exchange.ts'
import type { HandlerAttempt } from './handler-calls.ts'
import { type RecordPolicy, readRecordPolicy } from './outcome-policy.ts'
import type { ReadBody } from './read-body.ts'
import { toResult } from './recorded-answer.ts'
import { responseSerializer } from './stored-response.ts'

/** A request as it was kept. */
export interface KeptRequest {
  readonly scope: Scope
  readonly key: string
  readonly method: string
  readonly target: string
  /** Those that `storeHeaders` names. */
  readonly headers: readonly HeaderField[]
  readonly body: Uint8Array
}

export interface RecoverRequestsOptions extends Omit<Policies, 'serializer' | 'onInProgress' | 'guarantee'> {
  /** Its name, as `idempotent` has it: method and route pattern, unless it was named. */
  readonly operation: string
  /** As of `idempotent`: which answers are recorded. @default 'final' */
  readonly record?: RecordPolicy
  /** Does what the request asked, and gives the answer that its client finds with its next try. */
  readonly handler: (request: KeptRequest, attempt: HandlerAttempt) => HttpResponse | Promise<HttpResponse>
  /** Whether whoever asked may still do this. What is refused is parked, for a person to look at. */
  readonly authorize: (request: KeptRequest) => boolean | Promise<boolean>
  /** How many records are taken up at most. @default 1000 */
  readonly limit?: number
}

/**
 * Takes up requests that a crash interrupted, and finishes them without waiting for their clients. `storeRequest` has to
 * be that of `idempotent`.
 *
 * @throws InvalidOptionError
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

/** What is kept of a request: a line of JSON, then the body as it is. */
export function keepRequest<Native>(
  { method, target, headers }: Exchange<Native>,
  { bytes }: ReadBody,
  names: readonly string[],
): Uint8Array {
  const kept = names.flatMap((name) => headerValues(headers, name).map((value) => [name, value] as const))
  return joinLine(JSON.stringify({ method, target, headers: kept }), bytes)
}

function readKept({ scope, key, payload }: KeptCall): KeptRequest {
  try {
    const [line, body] = splitLine(payload as Uint8Array)
    const { method, target, headers } = JSON.parse(line) as Omit<KeptRequest, 'body'>
    return { scope, key, method, target, headers, body }
  } catch {
    throw new InvalidOptionError('storeRequest', 'no request was kept: set it as an option of idempotent')
  }
}
