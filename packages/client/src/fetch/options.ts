import { type Duration, toMs } from '../base/duration.ts'
import { assertKnownOptions, type Names } from '../base/known-options.ts'
import type { IntentStorage } from '../storages/storage.ts'
import { type KeyHeader, keyHeader } from './key-header.ts'
import type { VerdictOption } from './response-verdict.ts'

/** Bounds of retries. */
export interface RetryOptions {
  /** The number of tries that may bring no decision. Waiting for a request in progress does not count. @default 8 */
  readonly tries?: number
  /**
   * The pauses between tries. Each is random, the first up to `first`, each next one up to twice as much, at most `max`,
   * and never shorter than `Retry-After`. @default { first: '250ms', max: '10s' }
   */
  readonly backoff?: { readonly first?: Duration; readonly max?: Duration }
  /** The longest wait for an answer, for a storage, and for the body of a `Request`. @default '30s' */
  readonly timeout?: Duration
  /** The end of all tries, counted from the call. Time without a network counts. @default '2m' */
  readonly within?: Duration
}

export interface FetchOptions {
  /** Keeps the keys. @default `localStorage`; in memory if there is no page */
  readonly storage?: IntentStorage
  /** Bounds and spaces the tries of an intent. */
  readonly retry?: RetryOptions
  /**
   * The longest use of a key. It must be shorter than the server's retention, so that a key that the server has
   * forgotten is never sent again. @default '23h', for servers that keep 24
   */
  readonly keepFor?: Duration
  /** Stands before each name in the storage. @default 'retryproof:' */
  readonly prefix?: string
  /** The header that carries the key. @default 'Idempotency-Key' */
  readonly header?: string
  /**
   * Writes the key as a String of RFC 9651, `"…"`. Servers that do not know the draft may take the quotes as part of the
   * key. @default true for `Idempotency-Key`, false for any other header
   */
  readonly quoted?: boolean
  /**
   * Judges an answer, if the application knows more than its status says; `undefined` leaves it to the client. `'drop'`
   * requires certainty that no request with this key did anything. @default none
   */
  readonly verdict?: VerdictOption
  /** Sends each request. @default the global `fetch` */
  readonly fetch?: typeof fetch
}

/** Options as the client uses them: complete, and in milliseconds. */
export interface ReadOptions {
  readonly storage: IntentStorage
  readonly tries: number
  readonly firstPauseMs: number
  readonly maxPauseMs: number
  readonly timeoutMs: number
  readonly withinMs: number
  readonly keepForMs: number
  readonly prefix: string
  readonly header: KeyHeader
  readonly verdict: VerdictOption | undefined
  readonly send: typeof fetch
}

const CENTURY_MS = 100 * 365.25 * 86_400_000

const optionNames: Names<FetchOptions> = {
  storage: true,
  retry: true,
  keepFor: true,
  prefix: true,
  header: true,
  quoted: true,
  verdict: true,
  fetch: true,
}

/**
 * @throws {@link RangeError} when an option is out of range
 * @throws {@link TypeError} when there is no option of that name, or `storage` is none
 */
export function readOptions(options: FetchOptions, defaultStorage: () => IntentStorage): ReadOptions {
  assertKnownOptions('', options, optionNames)
  const { retry = {}, prefix = 'retryproof:', header = 'Idempotency-Key', fetch: send = fetch } = options
  assertKnownOptions('retry.', retry, { tries: true, backoff: true, timeout: true, within: true })
  const { tries = 8, backoff = {} } = retry
  assertKnownOptions('retry.backoff.', backoff, { first: true, max: true })
  if (!(tries >= 1)) throw new RangeError(`retry.tries must be at least 1, got ${tries}`)
  return {
    storage: requireStorage(options.storage ?? defaultStorage()),
    tries,
    firstPauseMs: toMs('retry.backoff.first', backoff.first ?? '250ms'),
    maxPauseMs: toMs('retry.backoff.max', backoff.max ?? '10s'),
    timeoutMs: toMs('retry.timeout', retry.timeout ?? '30s'),
    withinMs: toMs('retry.within', retry.within ?? '2m'),
    keepForMs: toMs('keepFor', options.keepFor ?? '23h', CENTURY_MS),
    prefix,
    header: keyHeader(header, options.quoted ?? header.toLowerCase() === 'idempotency-key'),
    verdict: options.verdict,
    send: (...request) => send(...request),
  }
}

function requireStorage(storage: IntentStorage): IntentStorage {
  if (typeof storage?.update === 'function') return storage
  throw new TypeError('storage: must be one of this package, such as webStorage() or asyncStorage(AsyncStorage)')
}
