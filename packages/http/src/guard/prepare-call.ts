/** Turns a request into the call that the core runs. */
import { type Call, IdempotencyInvalidOptionError, type Operation, type Policies } from '@retryproof/core'
import type { Exchange } from '../protocol/exchange.ts'
import { keyFromHeaders, requireKey } from '../protocol/key-header.ts'
import { namesVersion, preconditionRequired } from '../protocol/precondition.ts'
import { Refusal } from '../protocol/refusal.ts'
import type { ResolvedOptions } from './options/read-options.ts'
import { describeContentKey, describeGiven, describeRequest, requireCountable } from './request/fingerprint.ts'
import type { Fingerprint } from './request/fingerprint-option.ts'
import { keepRequest } from './request/kept-request.ts'
import { requireOwner } from './request/owner.ts'
import { type ReadBody, readBody } from './request/read-body.ts'

export interface Asked<Tx> {
  readonly name: string
  readonly operation: Operation<Tx>
  readonly call: Omit<Call, 'operation'>
  /** The call by each rule that is accepted besides: a record that was made by one of them is replayed. */
  readonly accepted: readonly Omit<Call, 'operation'>[]
  readonly policies: Policies | undefined
  /** The address to which the answer is delivered. */
  readonly callback: URL | undefined
}

/**
 * Reads key, then scope, then body: each only where the one before it is in order. Undefined for a request without a key
 * that may pass.
 *
 * @throws {@link Refusal} for what the client can mend
 * @throws {@link IdempotencyInvalidCallError} for a key or a body that cannot be used
 * @throws {@link IdempotencyInvalidOptionError} for what only the application can mend
 */
export async function ask<Native, Tx>(
  exchange: Exchange<Native>,
  options: ResolvedOptions<Native, Tx>,
): Promise<Asked<Tx> | undefined> {
  const { native, headers } = exchange
  const { syntax, keyFormat, maxRequestBytes, storeHeaders } = options
  const given = options.key ? await options.key(native) : keyFromHeaders(headers, syntax, keyFormat)
  if (given === undefined) {
    if (!options.required) return undefined
    throw new Refusal('key-missing', options.key && 'This operation requires a key, and the request has none.')
  }
  if (options.requirePrecondition && !namesVersion(headers)) throw preconditionRequired()
  const ofContent = typeof given === 'object' && given !== null && 'retention' in given ? given : undefined
  const key = ofContent ? requireKey(ofContent.key) : requireKey(given, keyFormat)
  const name = nameOf(exchange, options)
  const operation = options.operationNamed(name)
  const scope = await requireOwner(name, native, options.scope)

  let reading: Promise<ReadBody> | undefined
  const readOnce = () => {
    reading ??= readBody(exchange, maxRequestBytes)
    return reading
  }
  async function payloadBy(rule: Fingerprint<Native> | undefined): Promise<string | Uint8Array> {
    if (typeof rule === 'function') return describeGiven(exchange, await rule(native))
    return describeRequest(exchange, await readOnce(), rule)
  }

  const { fingerprint, acceptFingerprints } = options
  if (!ofContent && typeof fingerprint !== 'function') requireCountable(headers, fingerprint)
  const payload = ofContent && !fingerprint ? describeContentKey(key) : await payloadBy(fingerprint)
  const others: (string | Uint8Array)[] = []
  for (const rule of acceptFingerprints) others.push(await payloadBy(rule))
  const request = storeHeaders && keepRequest(exchange, await readOnce(), storeHeaders, maxRequestBytes)
  // last: a server may make a request of Fetch for it, which then has to find the body
  const { signal } = exchange
  const call: Asked<Tx>['call'] = { scope, key, payload, ...(signal && { signal }), ...(request && { request }) }
  return {
    name,
    operation,
    call,
    accepted: others.map((other) => ({ ...call, payload: other })),
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
