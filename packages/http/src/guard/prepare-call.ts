/** A request, as the core is asked to run it. */
import { type Call, IdempotencyInvalidOptionError, type Operation, type Policies, type Scope } from '@retryproof/core'
import type { Exchange } from '../protocol/exchange.ts'
import { keyFromHeaders, requireKey } from '../protocol/key-header.ts'
import { namesVersion, preconditionRequired } from '../protocol/precondition.ts'
import { Refusal } from '../protocol/refusal.ts'
import type { ResolvedOptions } from './read-options.ts'
import { describeRequest, requireCountable } from './request/fingerprint.ts'
import { keepRequest } from './request/kept-request.ts'
import { readBody } from './request/read-body.ts'

export interface Asked<Tx> {
  readonly name: string
  readonly operation: Operation<Tx>
  readonly call: Omit<Call, 'operation'>
  readonly policies: Policies | undefined
  /** Where the answer is to be told. */
  readonly callback: URL | undefined
}

/**
 * Key, then scope, then body: each only where the one before it is in order. Undefined for a request without a key that
 * may pass.
 *
 * @throws Refusal, IdempotencyInvalidCallError, IdempotencyInvalidOptionError, and what the application's functions throw
 */
export async function ask<Native, Tx>(
  exchange: Exchange<Native>,
  options: ResolvedOptions<Native, Tx>,
): Promise<Asked<Tx> | undefined> {
  const { native, headers } = exchange
  const given = options.key ? await options.key(native) : keyFromHeaders(headers, options.syntax)
  if (given === undefined) {
    if (!options.required) return undefined
    throw new Refusal('key-missing')
  }
  if (options.requirePrecondition && !namesVersion(headers)) throw preconditionRequired()
  const ofContent = typeof given === 'object' && given !== null && 'retention' in given ? given : undefined
  const key = requireKey(ofContent ? ofContent.key : given)
  const name = nameOf(exchange, options)
  const operation = options.operationNamed(name)
  const scope: Scope = typeof options.scope === 'function' ? await options.scope(native) : options.scope
  requireCountable(headers, options.fingerprint)
  const body = await readBody(exchange, options.maxRequestBytes)
  const payload = describeRequest(exchange, body, options.fingerprint)
  const request = options.storeHeaders && keepRequest(exchange, body, options.storeHeaders)
  const { signal } = exchange
  return {
    name,
    operation,
    call: { scope, key, payload, ...(signal && { signal }), ...(request && { request }) },
    policies: ofContent && { retention: ofContent.retention },
    callback: options.webhook?.address(native),
  }
}

function nameOf<Native, Tx>(
  { method, route, native }: Exchange<Native>,
  { operation }: ResolvedOptions<Native, Tx>,
): string {
  if (operation) return operation(native)
  if (route !== undefined) return `${method} ${route}`
  throw new IdempotencyInvalidOptionError(
    'operation',
    'is required here, since the pattern of the route is not known: name the kind of write, such as "POST /orders/:id/refunds"',
  )
}
