/** The options of a binding. */
import type { ContentKey, Duration, Idempotency, Policies, unscoped } from '@retryproof/core'
import type { KeySyntax } from '../../protocol/key-header.ts'
import type { RecordPolicy } from '../answer/record-policy.ts'
import type { SpellingOptions } from '../answer/spelling.ts'
import type { Notifier, StatusResource } from '../ports.ts'
import type { Fingerprint } from '../request/fingerprint-option.ts'

/** The methods that are guarded wherever a guard stands. The option `methods` adds others. */
export const GUARDED_METHODS: readonly string[] = ['POST', 'PATCH']

/** Options of a binding, and any policy of the core for what it guards. `Native` is the framework's request. */
export interface HttpOptions<Native> extends Omit<Policies, 'serializer' | 'onInProgress'>, SpellingOptions<Native> {
  /**
   * Gives the owner of a key: tenant and/or user, as your authentication knows them. It is part of every key, so that
   * nobody is given another's answer. A request whose owner is `undefined` is refused (401). `unscoped` says aloud that
   * there is nobody to tell apart.
   */
  readonly scope: ((request: Native) => Owner | Promise<Owner>) | typeof unscoped
  /** Names the kind of write. @default method and full route pattern, where the framework knows it; else required */
  readonly operation?: string | ((request: Native) => string)
  /**
   * Reads the key from elsewhere than the `Idempotency-Key` header: another header, a field of the body, or
   * `contentKey(…)` for clients that send none. `undefined`: there is none.
   */
  readonly key?: (request: Native) => RequestKey | Promise<RequestKey>
  /** `'lenient'` also takes a bare header value, as the same key as its quoted form. @default 'lenient' */
  readonly syntax?: KeySyntax
  /** The format that a key must have once it is parsed: `'uuid'`, or a pattern. Others are refused (400). @default any */
  readonly keyFormat?: 'uuid' | RegExp
  /**
   * Methods that are guarded besides POST and PATCH. In a route of one method that method is guarded without being named,
   * where the framework knows it. The others pass. @default []
   */
  readonly methods?: readonly string[]
  /**
   * Refuses a request without a key (400). If not, it runs without protection, and not in a `transaction`.
   * @default true
   */
  readonly required?: boolean
  /** Refuses a request that names no version of the resource (428). See `precondition`. @default false */
  readonly requirePrecondition?: boolean
  /**
   * Names the parts that must be the same when a key is sent again: members of the body, or what a function of the request gives. A key
   * that `contentKey` made is all that counts by default. @default the whole body
   */
  readonly fingerprint?: Fingerprint<Native>
  /**
   * Rules by which a record may have been made too, so that a changed `fingerprint` carries through a deployment: keys
   * that were used under them replay. `{ omit: [] }` is the whole body. @default []
   */
  readonly acceptFingerprints?: readonly Fingerprint<Native>[]
  /**
   * The largest body that is read for its fingerprint where no parser ran before, in bytes; with `storeRequest` at most
   * what the store has room for. A larger one is refused (413). @default 1_048_576
   */
  readonly maxRequestBytes?: number
  /**
   * Headers that `storeRequest` keeps, besides method, target and body. Credentials are refused.
   * @default ['content-type']
   */
  readonly storeHeaders?: readonly string[]
  /** Decides which answers are recorded and replayed; the others release the key. @default 'final' */
  readonly record?: RecordPolicy
  /** The largest body that is kept, in bytes. A larger one goes out as a stream, and its replay is 410. @default 1_048_576 */
  readonly maxResponseBytes?: number
  /** Lets every answer go out as it is written, so that none can be replayed (410). @default false */
  readonly stream?: boolean
  /**
   * Answers a duplicate while the first is in progress: with 409, or the answer if it comes in time, or 202 and where
   * the answer will be (`'accept'`, which takes a `statusResource`). @default 'reject'
   */
  readonly onInProgress?: NonNullable<Policies['onInProgress']> | 'accept'
  /**
   * `'async'` answers the first caller with 202 at once, and needs a `statusResource`. It also needs `storeRequest`, so
   * that `recover` finishes the work after a crash; `storeRequest: 'no'` says aloud that a crash loses it. @default 'sync'
   */
  readonly respond?: 'sync' | 'async'
  /** Serves the answers of requests that were answered with 202. */
  readonly statusResource?: StatusResource<Native>
  /** Sends the answer of a request that was answered with 202 to an address that the request names. */
  readonly webhook?: Notifier<Native>
  /**
   * The handler, which has to be given to the binding, gets a transaction of the store's database: what it writes there
   * and its answer commit together, or not at all. @default false
   */
  readonly transaction?: boolean
  /** Decides which answers commit the transaction; the others roll it back. @default below 400, where it is recorded */
  readonly commitWhen?: (status: number) => boolean
  /** The longest `Retry-After` that a duplicate is given while the first is in progress. @default '2s' */
  readonly maxRetryAfter?: Duration
}

/** The owner of a key; `undefined` where nobody is known. */
export type Owner = string | readonly string[] | undefined

/** A key, or one that was made of content and brings its own retention. */
export type RequestKey = string | ContentKey | undefined

/** The part of an instance that a binding needs. */
export type Guarding<Tx> = Pick<Idempotency<Tx>, 'operation' | 'capabilities'>
