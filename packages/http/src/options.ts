/** What a binding takes, checked once when it is made. */
import {
  type Duration,
  type Idempotency,
  InvalidOptionError,
  type Operation,
  type Policies,
  toMs,
  unscoped,
} from '@retryproof/core'
import type { FingerprintOptions } from './fingerprint.ts'
import type { KeySyntax } from './key-header.ts'
import { type AnswerHead, type RecordPolicy, readRecordPolicy } from './outcome-policy.ts'
import { responseSerializer } from './stored-response.ts'

/** Options of a binding, and any policy of the core for what it guards. `Native` is the framework's request. */
export interface HttpOptions<Native> extends Omit<Policies, 'serializer'> {
  /**
   * Whose key it is: tenant and/or user, as your authentication knows them. Part of every key, so that nobody is
   * given another's answer. `unscoped` says aloud that there is nobody to tell apart.
   */
  readonly scope:
    | ((request: Native) => string | readonly string[] | Promise<string | readonly string[]>)
    | typeof unscoped
  /** What kind of write it is. @default method and full route pattern, where the framework knows it; else required */
  readonly operation?: string | ((request: Native) => string)
  /** Where the key comes from instead of the `Idempotency-Key` header. `undefined`: there is none. */
  readonly key?: (request: Native) => string | undefined
  /** Whether a bare header value is taken, as the same key as its quoted form. @default 'lenient' */
  readonly syntax?: KeySyntax
  /** Methods that are guarded besides POST and PATCH. The others pass. @default [] */
  readonly methods?: readonly string[]
  /** Whether a request without a key is refused (400). If not, it runs without protection. @default true */
  readonly required?: boolean
  /** Which members of the body must be the same when a key is sent again. @default the whole body */
  readonly fingerprint?: FingerprintOptions
  /** The largest body that is read for its fingerprint where no parser ran before, in bytes. @default 1_048_576 */
  readonly maxRequestBytes?: number
  /** Which answers are recorded and replayed; the others release the key. @default 'final' */
  readonly record?: RecordPolicy
  /** The largest body that is kept, in bytes. A larger one goes out as a stream, and its replay is 410. @default 1_048_576 */
  readonly maxResponseBytes?: number
  /** Lets every answer go out as it is written, so that none can be replayed (410). @default false */
  readonly stream?: boolean
  /** The longest `Retry-After` that a duplicate is given while the first is in progress. @default '2s' */
  readonly maxRetryAfter?: Duration
  /** Where clients read what this resource promises: `type` and `Link` of every problem. @default this package's README */
  readonly docs?: string
}

/** Options as they are used. */
export interface ResolvedOptions<Native> {
  readonly scope: HttpOptions<Native>['scope']
  readonly operation: ((request: Native) => string) | undefined
  readonly key: HttpOptions<Native>['key']
  readonly syntax: KeySyntax
  readonly methods: ReadonlySet<string>
  readonly required: boolean
  readonly fingerprint: FingerprintOptions | undefined
  readonly maxRequestBytes: number
  readonly records: (answer: AnswerHead) => boolean
  readonly maxResponseBytes: number
  readonly stream: boolean
  readonly maxRetryAfterMs: number
  readonly docs: string
  /** The core's operation of that name, under the policies of these options. */
  readonly operationNamed: (name: string) => Operation
}

const MIB = 1_048_576
const DOCS = 'https://www.npmjs.com/package/@retryproof/http'

/** @throws InvalidOptionError naming the option and what it must be */
export function readHttpOptions<Native>(
  idempotency: Pick<Idempotency, 'operation'>,
  options: HttpOptions<Native>,
): ResolvedOptions<Native> {
  if (typeof idempotency?.operation !== 'function') {
    throw new InvalidOptionError('idempotency', 'must be what createIdempotency() gives')
  }
  const { scope, operation, key, syntax, methods, required, fingerprint, record, stream, docs, ...others } = options
  const { maxRequestBytes, maxResponseBytes, maxRetryAfter, ...policies } = others
  return {
    scope: readScope(scope),
    operation: readOperation(operation),
    key: readFunction('key', key),
    syntax: readChoice('syntax', syntax, ['lenient', 'strict']),
    methods: new Set(['POST', 'PATCH', ...readMethods(methods)]),
    required: readFlag('required', required, true),
    fingerprint: readFingerprint(fingerprint),
    maxRequestBytes: readSize('maxRequestBytes', maxRequestBytes),
    records: readRecordPolicy(record ?? 'final'),
    maxResponseBytes: readSize('maxResponseBytes', maxResponseBytes),
    stream: readFlag('stream', stream, false),
    maxRetryAfterMs: toMs('maxRetryAfter', maxRetryAfter ?? '2s', { min: 1000 }),
    docs: readDocs(docs),
    operationNamed: operations(idempotency, { ...policies, serializer: responseSerializer }),
  }
}

/** Names that a function makes up may be without end. */
const MAX_OPERATIONS = 1000

function operations(idempotency: Pick<Idempotency, 'operation'>, policies: Policies): (name: string) => Operation {
  // so that a policy out of range is told here, and not by the first request
  idempotency.operation('checked', policies)
  const made = new Map<string, Operation>()
  return (name) => {
    const operation = made.get(name) ?? idempotency.operation(name, policies)
    if (made.size < MAX_OPERATIONS) made.set(name, operation)
    return operation
  }
}

function readScope<Native>(scope: HttpOptions<Native>['scope']): HttpOptions<Native>['scope'] {
  if (typeof scope === 'function' || scope === unscoped) return scope
  throw new InvalidOptionError(
    'scope',
    'say whose keys these are, (request) => [tenant, user], or say `unscoped` if whoever sends a key may have its result',
  )
}

function readOperation<Native>(operation: HttpOptions<Native>['operation']): ResolvedOptions<Native>['operation'] {
  if (typeof operation !== 'string') return readFunction('operation', operation)
  if (operation.length >= 1 && operation.length <= 255) return () => operation
  throw new InvalidOptionError('operation', 'must be a name of 1 to 255 characters, or a function that gives one')
}

function readFunction<F extends (request: never) => unknown>(option: string, value: F | undefined): F | undefined {
  if (value === undefined || typeof value === 'function') return value
  throw new InvalidOptionError(option, 'must be a function of the request')
}

function readChoice<Choice extends string>(
  option: string,
  value: Choice | undefined,
  choices: readonly [Choice, ...Choice[]],
): Choice {
  if (value === undefined) return choices[0]
  if (choices.includes(value)) return value
  throw new InvalidOptionError(option, `must be one of ${choices.join(', ')}, got ${String(value)}`)
}

function readMethods(methods: readonly string[] = []): string[] {
  if (Array.isArray(methods) && methods.every((each) => /^[A-Za-z]+$/.test(each))) {
    return methods.map((method: string) => method.toUpperCase())
  }
  throw new InvalidOptionError('methods', `must be a list of method names, such as ['DELETE']`)
}

function readFlag(option: string, value: boolean | undefined, otherwise: boolean): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? otherwise
  throw new InvalidOptionError(option, 'must be true or false')
}

function readFingerprint(fingerprint: FingerprintOptions | undefined): FingerprintOptions | undefined {
  if (fingerprint === undefined) return undefined
  const { pick, omit } = fingerprint
  const names: unknown = pick ?? omit
  const fits = Array.isArray(names) && names.length > 0 && names.every((name) => typeof name === 'string' && name)
  if (fits && (pick === undefined) !== (omit === undefined)) return fingerprint
  throw new InvalidOptionError('fingerprint', `must be { pick: ['amount'] } or { omit: ['trace'] }`)
}

function readSize(option: string, bytes: number = MIB): number {
  if (Number.isSafeInteger(bytes) && bytes >= 0) return bytes
  throw new InvalidOptionError(option, `must be a whole number of bytes, got ${String(bytes)}`)
}

function readDocs(docs: string = DOCS): string {
  if (typeof docs === 'string' && URL.canParse(docs)) return docs
  throw new InvalidOptionError('docs', 'must be an absolute URL')
}
