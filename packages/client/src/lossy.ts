/** A network that loses requests and answers, to test retries with: the same seed loses the same. */
import { type Duration, toMs } from './base/duration.ts'
import { assertKnownOptions } from './base/known-options.ts'

export interface LossyOptions {
  /** The part of the requests that never arrives, from 0 to 1. @default 0 */
  readonly loseRequests?: number
  /** The part of the answers that never arrives, although the request took effect. @default 0 */
  readonly loseResponses?: number
  /** The part of the requests that arrives twice. @default 0 */
  readonly duplicate?: number
  /** The longest delay of a request; each is random up to it. @default none */
  readonly delay?: Duration
  /** The seed of all that is random. @default random; the returned `fetch` has it as `seed` */
  readonly seed?: number
}

/**
 * Makes a `fetch` over a bad network. Its `seed` repeats a run.
 *
 * @throws {@link RangeError} when an option is out of range
 * @throws {@link TypeError} when there is no option of that name
 *
 * @example
 * import { createIdempotentFetch, memoryStorage } from '@retryproof/client'
 * import { lossyFetch } from '@retryproof/client/lossy'
 *
 * const bad = lossyFetch({ loseResponses: 0.4, duplicate: 0.1, delay: '50ms', seed: 7 })
 * const client = createIdempotentFetch({ fetch: bad, storage: memoryStorage() })
 */
export function lossyFetch(
  options: LossyOptions = {},
  send: typeof fetch = fetch,
): typeof fetch & { readonly seed: number } {
  assertKnownOptions('', options, { loseRequests: true, loseResponses: true, duplicate: true, delay: true, seed: true })
  const { loseRequests = 0, loseResponses = 0, duplicate = 0, delay } = options
  const delayMs = delay ? toMs('delay', delay) : 0
  const { seed = Math.floor(Math.random() * 2 ** 31) } = options
  for (const [name, value] of Object.entries({ loseRequests, loseResponses, duplicate })) {
    if (!(value >= 0 && value <= 1)) throw new RangeError(`${name} must be from 0 to 1, got ${value}`)
  }
  const random = randomFrom(seed)

  async function lossy(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
    // drawn at once, so that the fate of a request does not depend on when others are sent
    const [late, lost, twice, unheard] = [random() * delayMs, random(), random(), random()]
    const request = new Request(input, init)
    if (late > 0) await new Promise((resolve) => setTimeout(resolve, late))
    request.signal.throwIfAborted()
    if (lost < loseRequests) throw new TypeError('The request was lost (lossyFetch).')
    if (twice < duplicate) void send(request.clone()).catch(() => {})
    const response = await send(request)
    if (unheard >= loseResponses) return response
    await response.body?.cancel()
    throw new TypeError('The answer was lost (lossyFetch).')
  }
  return Object.assign(lossy, { seed })
}

/** Numbers from 0 to 1 that a seed decides (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
