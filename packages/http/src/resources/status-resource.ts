/** Where the answer of an operation is to be found that is not there yet. */
import {
  type Idempotency,
  IdempotencyInvalidOptionError,
  IdempotencyOutcomeUnknownError,
  IdempotencyUndecodableError,
  type Inspection,
  type Scope,
  unscoped,
} from '@retryproof/core'
import { pendingResponse } from '../guard/answer/pending-response.ts'
import { replayOf, responseSerializer } from '../guard/answer/stored-response.ts'
import type { HttpOptions } from '../guard/options.ts'
import type { StatusResource } from '../guard/ports.ts'
import type { HttpResponse } from '../protocol/exchange.ts'
import { DOCS, type ProblemOptions, problemFor } from '../protocol/problems.ts'
import { Refusal } from '../protocol/refusal.ts'
import { createSeal } from './sealed-id.ts'

export interface StatusResourceOptions<Native> {
  /** Where it is mounted, such as `/operations`: the id comes behind it. */
  readonly path: string
  /** Whose keys the asking caller may see. The same as that of the operations, so that strangers get 404. */
  readonly scope: HttpOptions<Native>['scope']
  /** Seals ids: at least 16 random bytes, the same in every process that serves this path. */
  readonly secret: string | Uint8Array
  /** As of `idempotent`. */
  readonly docs?: string
}

const RETRY_AFTER_MS = 2000

/** @throws IdempotencyInvalidOptionError naming the option and what it must be */
export function statusResource<Native>(
  idempotency: Pick<Idempotency, 'operation'>,
  { path, scope, secret, docs = DOCS }: StatusResourceOptions<Native>,
): StatusResource<Native> {
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
  const options: ProblemOptions = { docs, maxRetryAfterMs: RETRY_AFTER_MS }
  const prefix = path.replace(/\/?$/, '/')

  async function inspect(id: string, request: Native): Promise<Inspection | null> {
    const sealed = await open(id)
    if (sealed === null) return null
    const [operation, key] = JSON.parse(sealed) as [string, string]
    const asking: Scope = typeof scope === 'function' ? await scope(request) : scope
    return idempotency.operation(operation, { serializer: responseSerializer }).inspect({ scope: asking, key })
  }

  return {
    locate: async (operation, key) => prefix + (await seal(JSON.stringify([operation, key]))),
    async answer(id, request) {
      try {
        const record = await inspect(id, request)
        if (record?.state === 'in_progress') return pendingResponse(prefix + id, RETRY_AFTER_MS)
        return replayOf(settledValue(record))
      } catch (error) {
        const problem = problemFor(error, options)
        if (!problem) throw error
        return problem
      }
    },
  }
}

/** @throws why there is no answer */
function settledValue(record: Inspection | null): HttpResponse | undefined {
  if (!record) throw new Refusal('unknown-operation', 'There is no such operation, or it is not yours.')
  if (record.state === 'released') {
    throw new Refusal('not-running', 'The last attempt came to nothing. Send the request itself again, with its key.')
  }
  if (record.state === 'parked') throw new IdempotencyOutcomeUnknownError()
  if (record.unreadable) throw new IdempotencyUndecodableError('The recorded answer cannot be read.')
  if (record.error !== undefined) throw record.error
  return record.value as HttpResponse | undefined
}
