/** Refuses options that no consumer can work with, before a broker is asked anything. */
import { IdempotencyInvalidOptionError, type Policies } from '@retryproof/core'
import { assertKnownNames, describeKind, policyNames } from '@retryproof/core/internal'
import type { ConsumerOptions } from './consumer-options.ts'

/** Policies that a consumer decides by itself. */
const DECIDED: ReadonlySet<string> = new Set<keyof Policies>(['onInProgress', 'onStoreUnavailable', 'replay'])

type OwnName = Exclude<keyof ConsumerOptions<never, never, boolean>, keyof Policies>
const own: Record<OwnName, true> = {
  scope: true,
  id: true,
  parse: true,
  payload: true,
  concurrency: true,
  onVerdict: true,
  onError: true,
  redeliveryWindow: true,
  redeliveryDelay: true,
  transaction: true,
}
const shared = [...Object.keys(own), ...policyNames.filter((name) => !DECIDED.has(name))]

/** Says what an option has to be, and by which method it is told; without a method it is a text. */
interface Expected {
  readonly what: string
  readonly method?: string
}

/**
 * Refuses an instance that is none, names that no option has, and options that a broker needs and that are missing or another thing.
 *
 * @param required the options of the broker without which nothing can be consumed
 * @param optional the names of its other options
 * @throws {@link IdempotencyInvalidOptionError} naming the option and what it must be
 */
export function requireOptions(
  idempotency: unknown,
  options: object,
  required: Readonly<Record<string, Expected>> = {},
  optional: readonly string[] = [],
): void {
  if (typeof Object(idempotency).operation !== 'function')
    throw refusal('idempotency', 'what createIdempotency() gives', idempotency)
  assertKnownNames(options, [...Object.keys(required), ...optional, ...shared])
  for (const [name, { what, method }] of Object.entries(required)) {
    const value: unknown = Reflect.get(options, name)
    const isFit =
      method === undefined ? typeof value === 'string' && value !== '' : typeof Object(value)[method] === 'function'
    if (!isFit) throw refusal(name, what, value)
  }
}

function refusal(name: string, what: string, value: unknown): IdempotencyInvalidOptionError {
  return new IdempotencyInvalidOptionError(name, `must be ${what}, got ${value === '' ? "''" : describeKind(value)}`)
}
