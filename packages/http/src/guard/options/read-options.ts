/** Options of a binding, checked once when it is made. */
import { IdempotencyInvalidOptionError, type Operation, type Policies, unscoped } from '@retryproof/core'
import { describeKind, problemOf, toMs } from '@retryproof/core/internal'
import { type KeyFormat, type KeySyntax, readKeyFormat } from '../../protocol/key-header.ts'
import { type GivenAnswer, readRecordPolicy } from '../answer/record-policy.ts'
import { readSpelling, type Spelling, type SpellingOptions } from '../answer/spelling.ts'
import { responseSerializer } from '../answer/stored-response.ts'
import { type Fingerprint, readAcceptedFingerprints, readFingerprint } from '../request/fingerprint-option.ts'
import { requireSync } from '../require-sync.ts'
import { requireKnownOptions } from './option-names.ts'
import { GUARDED_METHODS, type Guarding, type HttpOptions } from './options.ts'

/** Options as they are used. */
export interface ResolvedOptions<Native, Tx = unknown> {
  readonly scope: HttpOptions<Native>['scope']
  readonly key: HttpOptions<Native>['key'] | undefined
  readonly fingerprint: Fingerprint<Native> | undefined
  readonly acceptFingerprints: readonly Fingerprint<Native>[]
  readonly statusResource: HttpOptions<Native>['statusResource'] | undefined
  readonly webhook: HttpOptions<Native>['webhook'] | undefined
  readonly operation: ((request: Native) => string) | undefined
  readonly syntax: KeySyntax
  readonly keyFormat: KeyFormat | undefined
  readonly methods: ReadonlySet<string>
  readonly required: boolean
  readonly requirePrecondition: boolean
  readonly maxRequestBytes: number
  /** Undefined where requests are not kept. */
  readonly storeHeaders: readonly string[] | undefined
  readonly records: (answer: GivenAnswer) => boolean
  readonly spelling: Spelling<Native>
  readonly maxResponseBytes: number
  readonly stream: boolean
  readonly accepts: boolean
  readonly respondsEarly: boolean
  readonly transaction: boolean
  /** Undefined: below 400, where the answer is recorded. */
  readonly commitWhen: ((status: number) => boolean) | undefined
  readonly maxRetryAfterMs: number
  /** The core's operation of that name, under the policies of these options. */
  readonly operationNamed: (name: string) => Operation<Tx>
}

const MIB = 1_048_576
const TOKEN = /^[!#$%&'*+.^_`|~\dA-Za-z-]+$/

/**
 * @param hasHandler whether the binding was given the handler, rather than standing before it
 * @throws IdempotencyInvalidOptionError naming the option and what it must be
 */
export function readHttpOptions<Native, Tx>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<Native>,
  hasHandler: boolean,
): ResolvedOptions<Native, Tx> {
  if (typeof idempotency?.operation !== 'function') {
    throw new IdempotencyInvalidOptionError(
      'idempotency',
      `must be what createIdempotency() gives, got ${describeKind(idempotency)}`,
    )
  }
  requireKnownOptions(options)
  const {
    scope,
    operation,
    key,
    keyFormat,
    syntax,
    acceptFingerprints,
    methods,
    required,
    requirePrecondition,
    fingerprint,
    record,
    ...more
  } = options
  const {
    maxRequestBytes,
    maxResponseBytes,
    stream,
    respond,
    statusResource,
    webhook,
    preset,
    problem,
    replayHeader,
    docs,
    ...others
  } = more
  const { transaction, commitWhen, maxRetryAfter, onInProgress, storeHeaders, ...policies } = others
  const how = readChoice('respond', respond, ['sync', 'async'])
  const accepts = onInProgress === 'accept'
  const keepsRequests = (policies.storeRequest ?? 'no') !== 'no'
  if (transaction) requireTransactions(idempotency, hasHandler)
  if (transaction && required === false) {
    throw new IdempotencyInvalidOptionError(
      'required',
      'must not be false with transaction: true, since a request without a key would run without its transaction',
    )
  }
  if ((accepts || how !== 'sync') && !statusResource) {
    throw new IdempotencyInvalidOptionError(
      'statusResource',
      'is needed to answer with 202: statusResource(idempotency, { … })',
    )
  }
  if (how === 'async' && policies.storeRequest === undefined) {
    throw new IdempotencyInvalidOptionError(
      'respond',
      `'async' keeps the request for recover(): set storeRequest, to 'no' if a crash may lose the work`,
    )
  }
  if (webhook && how === 'sync') {
    throw new IdempotencyInvalidOptionError(
      'webhook',
      `needs respond: 'async', since it sends answers that no client waits for`,
    )
  }
  return {
    scope: readScope(scope),
    operation: readOperation(operation),
    key: readFunction('key', key),
    keyFormat: readKeyFormat(keyFormat),
    syntax: readChoice('syntax', syntax, ['lenient', 'strict']),
    methods: new Set([...GUARDED_METHODS, ...readMethods(methods)]),
    required: readFlag('required', required, true),
    requirePrecondition: readFlag('requirePrecondition', requirePrecondition, false),
    fingerprint: readFingerprint('fingerprint', fingerprint),
    acceptFingerprints: readAcceptedFingerprints(acceptFingerprints),
    maxRequestBytes: Math.min(
      readSize('maxRequestBytes', maxRequestBytes),
      keepsRequests ? roomFor(idempotency) : Number.POSITIVE_INFINITY,
    ),
    storeHeaders: keepsRequests ? readStoreHeaders(storeHeaders) : undefined,
    records: readRecordPolicy(record === undefined ? 'final' : record),
    spelling: readSpelling({ preset, problem, replayHeader, docs } as SpellingOptions<Native>),
    maxResponseBytes: Math.min(readSize('maxResponseBytes', maxResponseBytes), roomFor(idempotency)),
    stream: readFlag('stream', stream, false),
    accepts,
    respondsEarly: how !== 'sync',
    statusResource,
    webhook,
    transaction: readFlag('transaction', transaction, false),
    commitWhen: requireSync('commitWhen', readFunction('commitWhen', commitWhen)),
    maxRetryAfterMs: toMs('maxRetryAfter', maxRetryAfter ?? '2s', { min: 1000 }),
    operationNamed: operations(idempotency, {
      ...policies,
      ...(onInProgress !== undefined && onInProgress !== 'accept' && { onInProgress }),
      serializer: responseSerializer,
    }),
  }
}

/** The room of a store for a body: what it takes, less headers, envelope and encryption. */
function roomFor<Tx>({ capabilities }: Guarding<Tx>): number {
  return Math.max(0, capabilities.maxValueBytes - 65_536)
}

function requireTransactions<Tx>({ capabilities }: Guarding<Tx>, hasHandler: boolean): void {
  if (capabilities.transactional !== 'async') {
    throw new IdempotencyInvalidOptionError(
      'transaction',
      capabilities.transactional === 'sync'
        ? 'cannot be held open while a handler awaits: the transactions of this store are synchronous'
        : 'needs a store in a database with transactions',
    )
  }
  if (!hasHandler) {
    throw new IdempotencyInvalidOptionError(
      'transaction',
      'needs the handler: idempotent(idempotency, options, handler)',
    )
  }
}

/** Names that a function makes up may be without end. */
const MAX_OPERATIONS = 1000

function operations<Tx>(idempotency: Guarding<Tx>, policies: Policies): (name: string) => Operation<Tx> {
  // so that a policy out of range is told here, and not by the first request
  idempotency.operation('checked', policies)
  const made = new Map<string, Operation<Tx>>()
  return (name) => {
    const operation = made.get(name) ?? idempotency.operation(name, policies)
    if (made.size < MAX_OPERATIONS) made.set(name, operation)
    return operation
  }
}

function readScope<Native>(scope: HttpOptions<Native>['scope']): HttpOptions<Native>['scope'] {
  if (typeof scope === 'function' || scope === unscoped) return scope
  throw new IdempotencyInvalidOptionError(
    'scope',
    'must name the owner of a key, (request) => [tenant, user], or be `unscoped` where everybody may have its result',
  )
}

function readOperation<Native>(operation: HttpOptions<Native>['operation']): ResolvedOptions<Native>['operation'] {
  if (typeof operation !== 'string') return readFunction('operation', operation)
  const problem = problemOf(operation)
  if (problem === null) return () => operation
  throw new IdempotencyInvalidOptionError('operation', problem)
}

function readFunction<F extends (request: never) => unknown>(option: string, value: F | undefined): F | undefined {
  if (value === undefined || typeof value === 'function') return value
  throw new IdempotencyInvalidOptionError(option, 'must be a function')
}

function readChoice<Choice extends string>(
  option: string,
  value: Choice | undefined,
  choices: readonly [Choice, ...Choice[]],
): Choice {
  if (value === undefined) return choices[0]
  if (choices.includes(value)) return value
  throw new IdempotencyInvalidOptionError(option, `must be one of ${choices.join(', ')}, got ${String(value)}`)
}

function readMethods(methods: readonly string[] = []): string[] {
  if (Array.isArray(methods) && methods.every((each) => /^[A-Za-z]+$/.test(each))) {
    return methods.map((method: string) => method.toUpperCase())
  }
  throw new IdempotencyInvalidOptionError('methods', `must be a list of method names, such as ['DELETE']`)
}

function readFlag(option: string, value: boolean | undefined, otherwise: boolean): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? otherwise
  throw new IdempotencyInvalidOptionError(option, 'must be true or false')
}

function readSize(option: string, bytes: number = MIB): number {
  if (Number.isSafeInteger(bytes) && bytes >= 0) return bytes
  throw new IdempotencyInvalidOptionError(option, `must be a whole number of bytes, got ${String(bytes)}`)
}

/** Headers that carry credentials, whose record would outlive the request. */
const CREDENTIALS =
  /^(proxy-)?authorization$|^cookie2?$|api-?key|(auth|access|csrf|xsrf|security|session|refresh|id)-?token|secret|passw|assertion|jwt|client-cert/

function readStoreHeaders(names: readonly string[] = ['content-type']): string[] {
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string' && TOKEN.test(name))) {
    throw new IdempotencyInvalidOptionError('storeHeaders', 'must list the names of headers')
  }
  const lower = names.map((name: string) => name.toLowerCase())
  const credential = lower.find((name) => CREDENTIALS.test(name))
  if (credential === undefined) return lower
  throw new IdempotencyInvalidOptionError('storeHeaders', `must not list ${credential}, which carries credentials`)
}
