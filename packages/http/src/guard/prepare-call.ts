/** Turns a request into the call that the core runs. */
import { type Call, IdempotencyInvalidOptionError, type Operation, type Policies, type Scope } from '@retryproof/core'
import { isPromise, type MaybePromise } from '@retryproof/core/internal'
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
  readonly call: Call
  /** The call by each rule that is accepted besides: a record that was made by one of them is replayed. */
  readonly accepted: readonly Call[]
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
  const owner = requireOwner(name, native, options.scope)
  const scope = isPromise(owner) ? await owner : owner

  let reading: MaybePromise<ReadBody> | undefined
  const readOnce = () => {
    reading ??= readBody(exchange, maxRequestBytes)
    return reading
  }
  function payloadBy(rule: Fingerprint<Native> | undefined): MaybePromise<string | Uint8Array> {
    if (typeof rule === 'function') return givenBy(rule)
    const body = readOnce()
    return isPromise(body)
      ? body.then((read) => describeRequest(exchange, read, rule))
      : describeRequest(exchange, body, rule)
  }
  async function givenBy(rule: (native: Native) => unknown): Promise<string> {
    return describeGiven(exchange, await rule(native))
  }

  const { fingerprint, acceptFingerprints } = options
  if (!ofContent && typeof fingerprint !== 'function') requireCountable(headers, fingerprint)
  const described = ofContent && !fingerprint ? describeContentKey(key) : payloadBy(fingerprint)
  const payload = isPromise(described) ? await described : described
  const others: (string | Uint8Array)[] = []
  for (const rule of acceptFingerprints) others.push(await payloadBy(rule))
  const request = storeHeaders && keepRequest(exchange, await readOnce(), storeHeaders, maxRequestBytes)
  const callFor = (counted: string | Uint8Array): Call => {
    const call = new GuardedCall(exchange, name, scope, key, counted)
    return request ? Object.assign(call, { request }) : call
  }
  return {
    name,
    operation,
    call: callFor(payload),
    accepted: others.map(callFor),
    policies: ofContent && { retention: ofContent.retention },
    callback: options.webhook?.address(native),
  }
}

/** A class, since an object that is written with a getter takes a microsecond to make. */
class GuardedCall implements Call {
  readonly operation: string
  readonly scope: Scope
  readonly key: string
  readonly payload: string | Uint8Array
  readonly #exchange: Pick<Exchange<unknown>, 'signal'>

  constructor(
    exchange: Pick<Exchange<unknown>, 'signal'>,
    operation: string,
    scope: Scope,
    key: string,
    payload: string | Uint8Array,
  ) {
    this.operation = operation
    this.scope = scope
    this.key = key
    this.payload = payload
    this.#exchange = exchange
  }

  /** Asked for by a call that waits: a server may make a request of Fetch for it, which then has to find the body. */
  get signal(): AbortSignal | undefined {
    return this.#exchange.signal?.()
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
    'is required here, since the pattern of the route is not known: put the guard into each route, or name the kind of write, such as "POST /orders/:id/refunds"',
  )
}
