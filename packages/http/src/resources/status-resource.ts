/** Serves the answers of operations that were answered with 202. */
import {
  type Idempotency,
  IdempotencyInvalidOptionError,
  IdempotencyOutcomeUnknownError,
  IdempotencyUndecodableError,
  type Inspection,
  unscoped,
} from '@retryproof/core'
import { assertKnownOptions } from '@retryproof/core/store'
import { pendingResponse } from '../guard/answer/pending-response.ts'
import { readSpelling, type SpellingOptions } from '../guard/answer/spelling.ts'
import { responseSerializer } from '../guard/answer/stored-response.ts'
import { errorOf } from '../guard/error-of.ts'
import type { HttpOptions } from '../guard/options/options.ts'
import type { StatusResource } from '../guard/ports.ts'
import { requireOwner } from '../guard/request/owner.ts'
import type { HttpResponse } from '../protocol/exchange.ts'
import { Refusal } from '../protocol/refusal.ts'
import { createSeal } from './sealed-id.ts'

export interface StatusResourceOptions<Native> extends SpellingOptions<Native> {
  /** The path that it is mounted under, such as `/operations`: the id follows it. */
  readonly path: string
  /** The scope of the asking caller, as of the operations: a caller of another scope gets 404. */
  readonly scope: HttpOptions<Native>['scope']
  /** Seals ids: at least 16 random bytes, the same in every process that serves this path. */
  readonly secret: string | Uint8Array
}

const RETRY_AFTER_MS = 2000

const known = {
  path: true,
  scope: true,
  secret: true,
  preset: true,
  problem: true,
  replayHeader: true,
  docs: true,
} as const

/**
 * Makes the resource at which the answers of operations can be read that were answered with 202.
 *
 * @example
 * import { unscoped } from '@retryproof/core'
 * import { idempotent, serveStatus } from '@retryproof/http/fetch'
 * import { statusResource } from '@retryproof/http/status'
 *
 * const status = statusResource<Request>(idempotency, { path: '/operations', scope: unscoped, secret })
 * const options = { scope: unscoped, operation: 'report', respond: 'async', statusResource: status } as const
 * export const POST = idempotent(idempotency, options, () => Response.json({ pages: 12 }))
 * export const GET = serveStatus(status)
 *
 * @throws IdempotencyInvalidOptionError naming the option and what it must be
 */
export function statusResource<Native>(
  idempotency: Pick<Idempotency, 'operation'>,
  options: StatusResourceOptions<Native>,
): StatusResource<Native> {
  assertKnownOptions<StatusResourceOptions<Native>>(options, known)
  const { path, scope, secret, ...spellingOptions } = options
  if (typeof path !== 'string' || !/^\/([^/?#\s]+\/?)*$/.test(path)) {
    throw new IdempotencyInvalidOptionError('path', 'must be a path such as /operations')
  }
  if (typeof scope !== 'function' && scope !== unscoped) {
    throw new IdempotencyInvalidOptionError(
      'scope',
      'must be that of the operations: (request) => [tenant, user], or `unscoped`',
    )
  }
  const { seal, open } = createSeal(secret, 'retryproof/status')
  const spelling = readSpelling(spellingOptions)
  const prefix = path.replace(/\/?$/, '/')

  async function inspect(id: string, request: Native): Promise<Inspection | null> {
    const sealed = await open(id)
    if (sealed === null) return null
    const [operation, key] = JSON.parse(sealed) as [string, string]
    const asking = await requireOwner(`the status resource ${path}`, request, scope)
    return idempotency.operation(operation, { serializer: responseSerializer }).inspect({ scope: asking, key })
  }

  return {
    locate: async (operation, key) => prefix + (await seal(JSON.stringify([operation, key]))),
    async answer(id, request) {
      try {
        const record = await inspect(id, request)
        // an attempt whose lease has expired has ended with its process, and the next request takes over
        if (record?.state === 'in_progress' && record.leaseRemainingMs > 0) {
          return pendingResponse(prefix + id, RETRY_AFTER_MS)
        }
        return spelling.replay(settledValue(record))
      } catch (error) {
        const problem = spelling.problem(error, request, RETRY_AFTER_MS)
        if (!problem) throw errorOf(error)
        return problem
      }
    },
  }
}

/** @throws the reason why there is no answer */
function settledValue(record: Inspection | null): HttpResponse | undefined {
  if (!record) throw new Refusal('unknown-operation')
  if (record.state === 'released' || record.state === 'in_progress') throw new Refusal('not-running')
  if (record.state === 'parked') throw new IdempotencyOutcomeUnknownError()
  if (record.unreadable) throw new IdempotencyUndecodableError('The recorded answer cannot be read.')
  if (record.error !== undefined) throw record.error
  return record.value as HttpResponse | undefined
}
