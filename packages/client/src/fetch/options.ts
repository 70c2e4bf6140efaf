import { type Duration, toMs } from '../base/duration.ts'
import type { IntentStorage } from '../storages/storage.ts'
import { type KeyHeader, keyHeader } from './key-header.ts'
import type { VerdictOption } from './response-verdict.ts'

/** How often, and how long, a request is sent again. */
export interface RetryOptions {
  /** How often a request is sent at most. @default 8 */
  readonly tries?: number
  /**
   * The pauses between tries. Each is random, the first up to `first`, each next one up to twice as much, at most `max`,
   * and never shorter than `Retry-After`. @default { first: '250ms', max: '10s' }
   */
  readonly backoff?: { readonly first?: Duration; readonly max?: Duration }
  /** How long a try waits for its answer. @default '30s' */
  readonly timeout?: Duration
  /** When tries end, counted from the call. Time without a network counts. @default '2m' */
  readonly within?: Duration
}

export interface FetchOptions {
  /** Where keys are kept. @default `localStorage`; in memory where there is no page */
  readonly storage?: IntentStorage
  readonly retry?: RetryOptions
  /**
   * How long a key may be used. It must be shorter than the server's retention, so that a key that the server has
   * forgotten is never sent again. @default '23h', for servers that keep 24
   */
  readonly keepFor?: Duration
  /** Stands before each name in the storage. @default 'retryproof:' */
  readonly prefix?: string
  /** The header that carries the key. @default 'Idempotency-Key' */
  readonly header?: string
  /**
   * Whether the key is written as a String of RFC 9651, `"…"`. Servers that do not know the draft may take the quotes as
   * part of the key. @default true for `Idempotency-Key`, false for any other header
   */
  readonly quoted?: boolean
  /**
   * Says what an answer means, where the application knows more than its status says: `undefined` leaves it to the client.
   * `'drop'` only where it is certain that no request with this key did anything. @default none
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

/** @throws {@link RangeError} when an option is out of range */
export function readOptions(options: FetchOptions, defaultStorage: () => IntentStorage): ReadOptions {
  const { retry = {}, prefix = 'retryproof:', header = 'Idempotency-Key', fetch: send = fetch } = options
  const { tries = 8, backoff = {} } = retry
  if (!(tries >= 1)) throw new RangeError(`retry.tries must be at least 1, got ${tries}`)
  return {
    storage: options.storage ?? defaultStorage(),
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
