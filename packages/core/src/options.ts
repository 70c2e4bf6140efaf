/** The options of an instance, checked once. */
import { createDigest } from './digest.ts'
import { toMs } from './durations.ts'
import { type Engine, pipelines } from './engine.ts'
import { InvalidOptionError } from './errors.ts'
import { Emitter } from './events.ts'
import { ownErrorTypes } from './failures.ts'
import {
  defaultPolicies,
  policyNames,
  type ResolvedPolicies,
  readCoder,
  resolvePolicies,
  unknownOption,
} from './policies.ts'
import { createStoreCalls } from './store-calls.ts'
import type { IdempotencyOptions, Policies } from './types.ts'
import { createWaiters } from './waiters.ts'

const engineOptions = ['store', 'namespace', 'secret', 'codecs', 'errors', 'storeTimeout', 'settleTimeout']

/** @throws InvalidOptionError naming the option and what it must be */
export function readOptions(options: IdempotencyOptions<unknown>): { engine: Engine; policies: ResolvedPolicies } {
  for (const name of Object.keys(options)) {
    if (!engineOptions.includes(name) && !policyNames.includes(name)) {
      throw unknownOption(name, [...engineOptions, ...policyNames])
    }
  }
  const policies = Object.fromEntries(Object.entries(options).filter(([name]) => policyNames.includes(name)))
  const engine = createEngine(options)
  return { engine, policies: requireEncryption(engine, resolvePolicies(defaultPolicies, policies as Policies)) }
}

/** @throws InvalidOptionError where requests are to be kept encrypted, and nothing encrypts */
export function requireEncryption({ encrypts }: Engine, policies: ResolvedPolicies): ResolvedPolicies {
  if (policies.storeRequest !== 'encrypted' || encrypts) return policies
  throw new InvalidOptionError('storeRequest', "needs a codec that encrypts, or 'plaintext' to say that none is wanted")
}

function createEngine(options: IdempotencyOptions<unknown>): Engine {
  const { namespace, secret, codecs = [], errors = [] } = options
  const store = readStore(options.store)
  const storeTimeoutMs = toMs('storeTimeout', options.storeTimeout ?? '5s', { min: 1 })
  const events = new Emitter()
  requireNamespace(namespace)
  for (const codec of codecs) readCoder('codecs', codec, ['encode', 'decode'])
  if (secret === undefined && codecs.some((codec) => codec.encrypts)) {
    throw new InvalidOptionError(
      'secret',
      'is needed with a codec that encrypts: else keys and fingerprints can be guessed',
    )
  }
  const calls = createStoreCalls(store, storeTimeoutMs, (call, key, error) =>
    events.emit('storeUnavailable', { namespace, key, call, error }),
  )
  return {
    namespace,
    store,
    calls,
    events,
    storeTimeoutMs,
    waiters: createWaiters(calls),
    digest: createDigest(secret),
    pipelineFor: pipelines(codecs),
    encrypts: codecs.some((codec) => codec.encrypts),
    errorTypes: [...ownErrorTypes, ...errors],
    settleTimeoutMs: toMs('settleTimeout', options.settleTimeout ?? '15s', { min: 1 }),
  }
}

function readStore(store: IdempotencyOptions['store']): IdempotencyOptions['store'] {
  const methods = ['begin', 'transition', 'get'] as const
  const missing = methods.filter((method) => typeof store?.[method] !== 'function')
  if (missing.length === 0 && store.capabilities) return store
  throw new InvalidOptionError('store', 'must be a store, such as memoryStore() or sqliteStore({ database })')
}

function requireNamespace(namespace: unknown): void {
  if (typeof namespace === 'string' && namespace.length >= 1 && namespace.length <= 255 && namespace.isWellFormed())
    return
  throw new InvalidOptionError(
    'namespace',
    'must be a text of 1 to 255 characters: whose records these are in the store',
  )
}
