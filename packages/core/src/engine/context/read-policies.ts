/** Policies as the instance uses them: checked, in milliseconds, merged. */

import type { FailureDecision, Policies } from '../../api/policies.ts'
import type { Serializer } from '../../api/serialization.ts'
import { type Duration, toMs } from '../../base/durations.ts'
import { isPromise } from '../../base/maybe-promise.ts'
import { unknownOption } from '../../base/options/known-options.ts'
import { json } from '../../encoding/json.ts'
import { IdempotencyInvalidOptionError } from '../../errors.ts'

export interface ResolvedPolicies {
  readonly leaseMs: number
  readonly retentionMs: number
  readonly maxRunMs: number
  readonly onFailure: (error: unknown) => FailureDecision
  /** 0: do not wait. */
  readonly waitMs: number
  readonly onTakeover: NonNullable<Policies['onTakeover']>
  /** Infinity: no limit. */
  readonly maxAttempts: number
  readonly replay: NonNullable<Policies['replay']>
  readonly storeRequest: NonNullable<Policies['storeRequest']>
  readonly onStoreUnavailable: NonNullable<Policies['onStoreUnavailable']>
  readonly serializer: Serializer
}

const MIN_LEASE_MS = 10
const MIN_RETENTION_MS = 1000

export const defaultPolicies: ResolvedPolicies = {
  leaseMs: 30_000,
  retentionMs: 86_400_000,
  maxRunMs: 900_000,
  onFailure: () => 'retry',
  waitMs: 0,
  onTakeover: 'rerun',
  maxAttempts: Number.POSITIVE_INFINITY,
  replay: 'strict',
  storeRequest: 'no',
  onStoreUnavailable: 'reject',
  serializer: json(),
}

type Readers = { [Name in keyof Required<Policies>]: (value: NonNullable<Policies[Name]>) => Partial<ResolvedPolicies> }

const readers: Readers = {
  lease: (value) => ({ leaseMs: toMs('lease', value, { min: MIN_LEASE_MS }) }),
  retention: (value) => ({ retentionMs: toMs('retention', value, { min: MIN_RETENTION_MS }) }),
  maxRun: (value) => ({ maxRunMs: toMs('maxRun', value, { min: MIN_LEASE_MS }) }),
  onFailure: (value) => ({ onFailure: readOnFailure(value) }),
  onInProgress: (value) => ({ waitMs: readOnInProgress(value) }),
  onTakeover: (value) => ({ onTakeover: readOnTakeover(value) }),
  maxAttempts: (value) => ({ maxAttempts: readMaxAttempts(value) }),
  replay: (value) => ({ replay: readReplay(value) }),
  storeRequest: (value) => ({ storeRequest: oneOf('storeRequest', value, ['no', 'encrypted', 'plaintext']) }),
  onStoreUnavailable: (value) => ({ onStoreUnavailable: oneOf('onStoreUnavailable', value, ['reject', 'proceed']) }),
  serializer: (value) => ({ serializer: readCoder('serializer', value, ['serialize', 'deserialize']) }),
}

export const policyNames = Object.keys(readers)

/**
 * Merges `policies` over `base`: the nearer policy wins.
 *
 * @throws {@link IdempotencyInvalidOptionError} when a name is unknown, or a value out of range
 */
export function resolvePolicies(base: ResolvedPolicies, policies: Policies | undefined): ResolvedPolicies {
  if (!policies) return base
  let resolved = base
  for (const [name, value] of Object.entries(policies)) {
    if (value === undefined) continue
    if (!Object.hasOwn(readers, name)) throw unknownOption(name, policyNames)
    const read = readers[name as keyof Policies] as (value: unknown) => Partial<ResolvedPolicies>
    resolved = { ...resolved, ...read(value) }
  }
  return resolved
}

/** @throws {@link IdempotencyInvalidOptionError} when `coder` has no proper id, or lacks a method */
export function readCoder<T extends { readonly id: string }>(
  option: string,
  coder: T,
  methods: (keyof T & string)[],
): T {
  const missing = methods.filter((method) => typeof coder?.[method] !== 'function')
  if (missing.length > 0) throw new IdempotencyInvalidOptionError(option, `must have ${missing.join(' and ')}`)
  if (typeof coder.id !== 'string' || !/^[a-z0-9-]{1,16}$/.test(coder.id)) {
    throw new IdempotencyInvalidOptionError(option, `must have an id of 1 to 16 of a-z 0-9 -, got '${coder.id}'`)
  }
  return coder
}

function readOnFailure(value: NonNullable<Policies['onFailure']>): ResolvedPolicies['onFailure'] {
  const check = (decision: FailureDecision): FailureDecision => {
    if (isPromise(decision)) {
      // a promise decides too late, and its rejection must not end the process
      Promise.resolve(decision).catch(() => undefined)
      throw new IdempotencyInvalidOptionError('onFailure', 'must decide at once, got a promise')
    }
    if (decision === 'retry' || decision === 'store') return decision
    if (typeof decision === 'object') return { retry: toMs('onFailure.retry', decision?.retry) }
    throw new IdempotencyInvalidOptionError(
      'onFailure',
      `must be 'retry', 'store', { retry: delay } or a function that gives one of them`,
    )
  }
  if (typeof value === 'function') return (error) => check(value(error))
  const decision = check(value)
  return () => decision
}

function readOnInProgress(value: NonNullable<Policies['onInProgress']>): number {
  if (value === 'reject') return 0
  const wait: Duration | undefined = typeof value === 'object' ? value?.wait : undefined
  if (wait === undefined)
    throw new IdempotencyInvalidOptionError(
      'onInProgress',
      `must be 'reject', { wait: duration } or, over HTTP, 'accept'`,
    )
  return toMs('onInProgress.wait', wait, { min: 1 })
}

function readOnTakeover(value: NonNullable<Policies['onTakeover']>): ResolvedPolicies['onTakeover'] {
  if (value === 'rerun' || value === 'park' || typeof value === 'function') return value
  throw new IdempotencyInvalidOptionError('onTakeover', `must be 'rerun', 'park' or a function that says what happened`)
}

function readMaxAttempts(value: number): number {
  if (value === Number.POSITIVE_INFINITY || (Number.isInteger(value) && value >= 1)) return value
  throw new IdempotencyInvalidOptionError('maxAttempts', `must be a whole number from 1, got ${value}`)
}

function readReplay(value: NonNullable<Policies['replay']>): ResolvedPolicies['replay'] {
  if (value === 'strict' || value === 'semantic') return value
  if (typeof value?.reference === 'function' && typeof value.rebuild === 'function') return value
  throw new IdempotencyInvalidOptionError('replay', `must be 'strict', 'semantic' or { reference, rebuild }`)
}

function oneOf<T extends string>(option: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value
  throw new IdempotencyInvalidOptionError(
    option,
    `must be one of ${allowed.map((each) => `'${each}'`).join(', ')}, got '${value}'`,
  )
}
