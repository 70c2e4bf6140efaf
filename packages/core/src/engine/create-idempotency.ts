/** The entrance of the engine: `createIdempotency`. */

import type { Handler, Work } from '../api/attempt.ts'
import type { Call, Outcome, Reference } from '../api/call.ts'
import type { Idempotency, IdempotencyOptions } from '../api/idempotency.ts'
import type { RecoverOptions, StoredKey } from '../api/operators.ts'
import type { Policies, Resolution, TransactionPolicies } from '../api/policies.ts'
import { toMs } from '../base/durations.ts'
import { isPromise, type MaybePromise } from '../base/maybe-promise.ts'
import { describeKind } from '../base/options/describe-kind.ts'
import { assertKnownNames } from '../base/options/known-options.ts'
import { encodeRequest, type KeptRequest, keepRequest } from '../encoding/request.ts'
import { IdempotencyDrainingError, IdempotencyInvalidOptionError, IdempotencyInvalidTokenError } from '../errors.ts'
import { fingerprintOf } from '../keys/fingerprint.ts'
import { requireReference, requireText } from '../keys/key-text.ts'
import { issueToken, type TokenPurpose, verifyToken } from '../keys/one-time-token.ts'
import { storageKey } from '../keys/storage-key.ts'
import type { NoTransactions } from '../store/store.ts'
import { requireTransactional } from '../store/transactional-store.ts'
import { execute } from './call/execute.ts'
import { type Refusal, run } from './call/run.ts'
import { runUnprotected } from './call/unprotected.ts'
import { type PreparedCall, prepareCall } from './context/prepared-call.ts'
import { readOptions, requireEncryption } from './context/read-options.ts'
import { type ResolvedPolicies, resolvePolicies } from './context/read-policies.ts'
import { createRunningCalls } from './mechanisms/running-calls.ts'
import { eraseScope, forget } from './operators/forget.ts'
import { count, inspect, isStoredKey, list } from './operators/inspect.ts'
import { purgeByDefault } from './operators/purge.ts'
import { recover } from './operators/recover.ts'
import { noteForm, resolve } from './operators/resolve.ts'
import { transact } from './transaction/transact.ts'

const NO_TRANSACTION = 'is undefined: give the transaction that you opened, or leave the option out'

/** The most that the clocks of processes and of the store may differ. */
const CLOCK_TOLERANCE_MS = 60_000

/**
 * Creates an instance, which makes writes safe to retry.
 *
 * @example
 * import { createIdempotency } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'payments' })
 * const { value, replayed } = await idempotency.run(
 *   { operation: 'charge', scope: 'user_42', key: 'k1', payload: { amount: 100 } },
 *   async (attempt) => provider.charge(100, { idempotencyKey: attempt.keyFor('charge') }),
 * )
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option cannot be used, with its name and what it must be
 */
export function createIdempotency<Tx = NoTransactions>(options: IdempotencyOptions<Tx>): Idempotency<Tx> {
  const { instance, policies: instancePolicies } = readOptions(options)
  const running = createRunningCalls()
  const purge = purgeByDefault(instance, options.purge)
  let draining = false

  function nearest(own: ResolvedPolicies, policies: Policies | undefined): ResolvedPolicies {
    return policies ? requireEncryption(instance, resolvePolicies(own, policies)) : own
  }

  /** Reads all of the payload at once, so that the caller may change it afterwards. */
  function prepare(call: Call, policies: ResolvedPolicies): MaybePromise<PreparedCall> {
    purge.begin()
    const key = storageKey(instance.digest, instance.namespace, call)
    const fingerprint = fingerprintOf(instance.digest, call.payload)
    const digested = { operation: call.operation, key, fingerprint }
    // asked for only where the call may wait, since it may be made when it is asked for
    const prepared = prepareCall(instance, digested, policies, policies.waitMs > 0 ? call.signal : undefined)
    return policies.storeRequest === 'no' ? prepared : withRequest(prepared, keepRequest(call))
  }

  async function withRequest(prepared: PreparedCall, kept: KeptRequest): Promise<PreparedCall> {
    const { key, fingerprint, pipeline } = prepared
    return { ...prepared, request: await encodeRequest({ digest: instance.digest, pipeline, key, fingerprint }, kept) }
  }

  const refuseDraining: Refusal = () => (draining ? new IdempotencyDrainingError() : undefined)

  /** `Value` is the type of what the serializer makes of a `T`. `asked` is called inside: what it throws rejects. */
  async function runCall<T, Value>(
    asked: () => Call,
    handler: Handler<T, Tx>,
    own: ResolvedPolicies,
    given?: Policies,
    refusal = refuseDraining,
  ): Promise<Outcome<Value>> {
    const call = asked()
    const policies = nearest(own, given)
    requireFunction('handler', handler)
    const preparing = prepare(call, policies)
    const prepared = isPromise(preparing) ? await preparing : preparing
    const served = running.begin()
    try {
      const outcome: Outcome<unknown> = await run<T>(
        instance,
        prepared,
        (acquired) => execute(instance, prepared, acquired, handler as Handler<T>, served),
        refusal,
        policies.onStoreUnavailable === 'proceed'
          ? () => runUnprotected(instance, prepared, handler as Handler<T>, served)
          : undefined,
      )
      return outcome as Outcome<Value>
    } finally {
      running.end(served)
    }
  }

  async function runTransaction<T, Value>(
    call: Call,
    work: Work<T, Tx>,
    own: ResolvedPolicies,
    given: TransactionPolicies<Tx>,
  ): Promise<Outcome<Value>> {
    requireFunction('work', work)
    const { mode, tx, ...policies } = given
    // a caller who means to join a transaction must not be given another one
    if ('tx' in given && tx === undefined) throw new IdempotencyInvalidOptionError('tx', NO_TRANSACTION)
    const store = requireTransactional(options.store)
    const unit = { instance, store, work, prepared: await prepare(call, nearest(own, policies)) }
    const served = running.begin()
    try {
      const outcome: Outcome<unknown> = await transact<Tx, T>(unit, { mode, tx }, served, refuseDraining)
      return outcome as Outcome<Value>
    } finally {
      running.end(served)
    }
  }

  /** Makes the methods of an instance or of an operation: alike but for the source of the operation's name. */
  function methods<Named extends Omit<Reference, 'operation'>>(
    own: ResolvedPolicies,
    named: (reference: Named & Partial<Call>) => Call,
  ) {
    const asked = (call: Named & Partial<Call>) => {
      requireReference(call)
      return named(call)
    }
    const located = (reference: Named | StoredKey) => {
      requireReference(reference)
      return isStoredKey(reference) ? reference : named(reference as Named)
    }
    return {
      run: <T, Value>(call: Named & Omit<Call, 'operation'>, handler: Handler<T, Tx>, policies?: Policies) =>
        runCall<T, Value>(() => asked(call), handler, own, policies),
      transaction: async <T, Value>(
        call: Named & Omit<Call, 'operation'>,
        work: Work<T, Tx>,
        policies: TransactionPolicies<Tx> = {},
      ) => runTransaction<T, Value>(asked(call), work, own, policies),
      wrap<Args extends unknown[], T, Value>(
        fn: (...args: Args) => T | Promise<T>,
        describe: (...args: Args) => Named & Omit<Call, 'operation'>,
        policies?: Policies,
      ) {
        requireFunction('fn', fn)
        requireFunction('describe', describe)
        const resolved = nearest(own, policies)
        return async (...args: Args): Promise<Value> =>
          (
            await runCall<T, Value>(
              () => asked(describe(...args)),
              () => fn(...args),
              resolved,
            )
          ).value
      },
      inspect: async (reference: Named | StoredKey) => inspect(instance, located(reference), own),
      resolve: async (reference: Named | StoredKey, resolution: Resolution) =>
        resolve(instance, located(reference), resolution, own),
      forget: async (reference: Named | StoredKey) => forget(instance, located(reference)),
    }
  }

  return {
    namespace: instance.namespace,
    capabilities: instance.store.capabilities,
    ...methods<Reference>(instancePolicies, (call) => call),
    operation(name, policies) {
      requireText('operation', name)
      const own = nearest(instancePolicies, policies)
      if (own.serializer !== instancePolicies.serializer) noteForm(instance, name, own.serializer)
      return {
        ...methods(own, (call: Omit<Call, 'operation'> & Partial<Call>) => {
          // one that names its operation is not asked for its signal, which it may make when it is asked
          if (call.operation === name) return call as Call
          // by name: to spread a call costs as much as to digest its key
          const { scope, key, payload, request, signal } = call
          return { operation: name, scope, key, payload, request, ...(signal && { signal }) }
        }),
        recover: (recovery) => recover(instance, name, own, recovery as RecoverOptions, running, refuseDraining),
        issueToken: async (token) => {
          assertKnownNames(token, ['scope', 'expiresIn'])
          requireSecret(options.secret)
          const { scope, expiresIn } = token
          const expiresInMs = toMs('expiresIn', expiresIn, { min: 1 })
          return issueToken(instance.digest, instance.namespace, { operation: name, scope }, expiresInMs)
        },
        redeem: async (token, call, handler, policies) => {
          requireReference(call)
          requireSecret(options.secret)
          const purpose: TokenPurpose = { operation: name, scope: call.scope }
          const { key, expiresAt } = verifyToken(instance.digest, instance.namespace, purpose, token)
          const resolved = nearest(own, policies)
          // a token that has not expired must not find its record gone
          const retentionMs = Math.max(resolved.retentionMs, expiresAt - Date.now() + CLOCK_TOLERANCE_MS)
          // an expired one replays, and begins nothing
          const refusal: Refusal = () =>
            expiresAt <= Date.now() ? new IdempotencyInvalidTokenError('expired') : refuseDraining()
          const asked = () => ({ ...call, operation: name, key })
          return runCall(asked, handler, { ...resolved, retentionMs }, undefined, refusal)
        },
      }
    },
    list: (filter = {}) => list(instance, filter),
    count: async () => count(instance),
    eraseScope: async (scope) => eraseScope(instance, scope),
    startPurge: (options = {}) => purge.replace(options),
    on: (type, listener) => instance.events.on(type, listener),
    async drain(options = {}) {
      assertKnownNames(options, ['timeout'])
      const { timeout = '30s' } = options
      const timeoutMs = toMs('timeout', timeout)
      draining = true
      await Promise.all([running.idle(timeoutMs), purge.end(timeoutMs)])
      return { unfinished: running.abandonAll('The process is shutting down.') }
    },
  }
}

function requireFunction(name: string, value: unknown): void {
  if (typeof value !== 'function')
    throw new IdempotencyInvalidOptionError(name, `must be a function, got ${describeKind(value)}`)
}

function requireSecret(secret: unknown): void {
  if (secret === undefined)
    throw new IdempotencyInvalidOptionError('secret', 'is needed for tokens: it is what signs them')
}
