/** The options of an instance, checked once. */

import type { IdempotencyOptions } from '../../api/idempotency.ts'
import type { Policies } from '../../api/policies.ts'
import type { Codec, ErrorType } from '../../api/serialization.ts'
import { toMs } from '../../base/durations.ts'
import { describeKind } from '../../base/options/describe-kind.ts'
import { assertKnownNames } from '../../base/options/known-options.ts'
import { createTimers } from '../../base/timer-queue.ts'
import { ownErrorTypes } from '../../encoding/failure.ts'
import { IdempotencyInvalidOptionError } from '../../errors.ts'
import { createDigest } from '../../keys/digest.ts'
import { problemOf } from '../../keys/key-text.ts'
import { Emitter } from '../mechanisms/emitter.ts'
import { createStoreCalls } from '../mechanisms/store-calls.ts'
import { createWaiters } from '../mechanisms/wait-for-release.ts'
import { type Instance, pipelines } from './instance.ts'
import { defaultPolicies, policyNames, type ResolvedPolicies, readCoder, resolvePolicies } from './read-policies.ts'

const instanceOptions = ['store', 'namespace', 'secret', 'codecs', 'errors', 'storeTimeout', 'settleTimeout', 'purge']

/** @throws {@link IdempotencyInvalidOptionError} when an option cannot be used, with its name and what it must be */
export function readOptions(options: IdempotencyOptions<unknown>): { instance: Instance; policies: ResolvedPolicies } {
  if (typeof options !== 'object') throw new IdempotencyInvalidOptionError('options', 'must be { store, namespace, … }')
  assertKnownNames(options, [...instanceOptions, ...policyNames])
  const policies = Object.fromEntries(Object.entries(options).filter(([name]) => policyNames.includes(name)))
  const instance = createInstance(options)
  return { instance, policies: requireEncryption(instance, resolvePolicies(defaultPolicies, policies as Policies)) }
}

/** @throws {@link IdempotencyInvalidOptionError} when requests are to be kept encrypted, and no codec encrypts */
export function requireEncryption({ encrypts }: Instance, policies: ResolvedPolicies): ResolvedPolicies {
  if (policies.storeRequest !== 'encrypted' || encrypts) return policies
  throw new IdempotencyInvalidOptionError(
    'storeRequest',
    "needs a codec that encrypts, or 'plaintext' to say that none is wanted",
  )
}

function createInstance(options: IdempotencyOptions<unknown>): Instance {
  const { namespace, secret } = options
  const codecs = readCodecs(options.codecs)
  const store = readStore(options.store)
  const storeTimeoutMs = toMs('storeTimeout', options.storeTimeout ?? '5s', { min: 1 })
  const events = new Emitter()
  const timers = createTimers()
  requireNamespace(namespace)
  if (secret === undefined && codecs.some((codec) => codec.encrypts)) {
    throw new IdempotencyInvalidOptionError(
      'secret',
      'is needed with a codec that encrypts: else keys and fingerprints can be guessed',
    )
  }
  const calls = createStoreCalls(store, storeTimeoutMs, timers, (call, key, error) =>
    events.emit('storeUnavailable', { namespace, key, call, error }),
  )
  return {
    namespace,
    store,
    calls,
    events,
    timers,
    storeTimeoutMs,
    waiters: createWaiters(calls),
    digest: createDigest(secret),
    pipelineFor: pipelines(codecs, store.capabilities.maxValueBytes),
    encrypts: codecs.some((codec) => codec.encrypts),
    forms: new Map(),
    errorTypes: readErrorTypes(options.errors),
    settleTimeoutMs: toMs('settleTimeout', options.settleTimeout ?? '15s', { min: 1 }),
  }
}

function readStore(store: IdempotencyOptions['store']): IdempotencyOptions['store'] {
  const methods = ['begin', 'transition', 'get'] as const
  const missing = methods.filter((method) => typeof store?.[method] !== 'function')
  if (missing.length === 0 && store.capabilities) return store
  throw new IdempotencyInvalidOptionError(
    'store',
    `must be a store, such as memoryStore() or sqliteStore({ database }), got ${describeKind(store)}`,
  )
}

/** The most ids for which the header of an envelope has room. */
const MAX_CODECS = 8

function readCodecs(codecs: IdempotencyOptions['codecs'] = []): readonly Codec[] {
  requireList('codecs', codecs)
  for (const codec of codecs) readCoder('codecs', codec, ['encode', 'decode'])
  if (codecs.length > MAX_CODECS) throw new IdempotencyInvalidOptionError('codecs', `must be at most ${MAX_CODECS}`)
  requireDistinct('codecs', codecs, ({ id }) => id)
  return [...codecs]
}

function readErrorTypes(errors: IdempotencyOptions['errors'] = []): readonly ErrorType[] {
  requireList('errors', errors)
  const methods = ['matches', 'toData', 'fromData'] as const
  for (const type of errors) {
    if (type?.name && methods.every((method) => typeof type[method] === 'function')) continue
    throw new IdempotencyInvalidOptionError('errors', 'must be made with errorType(name, class, { toData, fromData })')
  }
  const all = [...ownErrorTypes, ...errors]
  requireDistinct('errors', all, ({ name }) => name)
  return all
}

function requireList(option: string, list: readonly unknown[]): void {
  if (!Array.isArray(list)) throw new IdempotencyInvalidOptionError(option, 'must be a list')
}

/** A record names the codec or error class that wrote it, so that names must differ. */
function requireDistinct<T>(option: string, list: readonly T[], nameOf: (each: T) => string): void {
  const names = list.map(nameOf)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined)
    throw new IdempotencyInvalidOptionError(option, `must have different names, got '${twice}' twice`)
}

function requireNamespace(namespace: unknown): void {
  const problem = problemOf(namespace)
  if (problem) throw new IdempotencyInvalidOptionError('namespace', `${problem}: it names the owner of the records`)
}
