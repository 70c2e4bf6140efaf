import type { IntentStorage } from '../storages/storage.ts'

/** How often, and how long. Times are milliseconds. */
export interface RetryOptions {
  /** How often a request is sent at most. @default 8 */
  readonly tries?: number
  /** The first pause is random up to this, each next one up to twice as much. @default 250 */
  readonly baseMs?: number
  /** The longest pause, unless the server asks for more (`Retry-After`). @default 10_000 */
  readonly maxMs?: number
  /** How long an answer is waited for before the request is sent again. @default 30_000 */
  readonly timeoutMs?: number
  /** When to stop trying, counted from the call. Time without a network counts. @default 120_000 */
  readonly withinMs?: number
}

export interface FetchOptions {
  /** Where keys are kept. @default `localStorage`; in memory where there is no page */
  readonly storage?: IntentStorage
  readonly retry?: RetryOptions
  /**
   * How long a key may be used. It must be shorter than the server's retention, so that a key that the server has
   * forgotten is never sent again. @default 23 hours, for servers that keep 24
   */
  readonly keepForMs?: number
  /** Stands before each name in the storage. @default 'retryproof:' */
  readonly prefix?: string
  /** What sends. @default the global `fetch` */
  readonly fetch?: typeof fetch
}

/** As `FetchOptions`, each with its default. */
export interface ReadOptions {
  readonly storage: IntentStorage
  readonly retry: Required<RetryOptions>
  readonly keepForMs: number
  readonly prefix: string
  readonly send: typeof fetch
}

const HOUR_MS = 3_600_000
const RETRY = { tries: 8, baseMs: 250, maxMs: 10_000, timeoutMs: 30_000, withinMs: 120_000 }

/** @throws RangeError */
export function readOptions(options: FetchOptions, byDefault: () => IntentStorage): ReadOptions {
  const { storage = byDefault(), keepForMs = 23 * HOUR_MS, prefix = 'retryproof:', fetch: send = fetch } = options
  const retry = { ...RETRY, ...options.retry }
  for (const [name, value] of Object.entries({ keepForMs, ...retry })) {
    if (!(value > 0 && value < 2 ** 31)) throw new RangeError(`${name} must be above 0 and below 2^31, got ${value}`)
  }
  return { storage, retry, keepForMs, prefix, send: (...request) => send(...request) }
}
