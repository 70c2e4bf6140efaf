/** A network that loses things, to test retries with: the same seed loses the same. */

export interface LossyOptions {
  /** Which part of the requests never arrives, from 0 to 1. @default 0 */
  readonly loseRequests?: number
  /** Which part of the answers never arrives: the request took effect. @default 0 */
  readonly loseResponses?: number
  /** Which part of the requests arrives twice. @default 0 */
  readonly duplicate?: number
  /** Each request is late by up to so many milliseconds. @default 0 */
  readonly delay?: number
  /** @default random; see `seed` of what is returned */
  readonly seed?: number
}

/** `send` over a bad network. `seed` says how to have the same again. */
export function lossyFetch(
  options: LossyOptions = {},
  send: typeof fetch = fetch,
): typeof fetch & { readonly seed: number } {
  const { loseRequests = 0, loseResponses = 0, duplicate = 0, delay = 0 } = options
  const { seed = Math.floor(Math.random() * 2 ** 31) } = options
  for (const [name, value] of Object.entries({ loseRequests, loseResponses, duplicate })) {
    if (!(value >= 0 && value <= 1)) throw new RangeError(`${name} must be from 0 to 1, got ${value}`)
  }
  const random = randomFrom(seed)

  async function lossy(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
    // all drawn at once, so that what a request suffers does not hang on when others are sent
    const [late, lost, twice, unheard] = [random() * delay, random(), random(), random()]
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
