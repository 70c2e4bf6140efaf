/** A gateway between a client and its server: logins, proxies, and a browser that hides headers from another origin. */

/** Answers that come without the server having seen the request. */
const IN_FRONT: readonly (() => Response)[] = [
  () => new Response('<h1>Not found</h1>', { status: 404, headers: { 'Content-Type': 'text/html' } }),
  () => new Response('<h1>Too large</h1>', { status: 413, headers: { 'Content-Type': 'text/html' } }),
  () => new Response('', { status: 401 }),
  () => new Response('', { status: 409 }),
  () => new Response('', { status: 429 }),
  () => new Response('{"message":"Forbidden"}', { status: 403, headers: { 'Content-Type': 'application/json' } }),
  () => new Response('{"message":"invalid"}', { status: 422, headers: { 'Content-Type': 'application/json' } }),
  () => Object.defineProperty(new Response('<form>Log in</form>'), 'redirected', { value: true }),
  () => new Response(null, { status: 302, headers: { Location: '/login' } }),
]

/** The headers that CORS lets a page read of an answer that exposes nothing. */
const SAFELISTED = [
  'cache-control',
  'content-language',
  'content-length',
  'content-type',
  'expires',
  'last-modified',
  'pragma',
]

export interface GatewayOptions {
  /** Answers by number, in turn; a number beyond the list lets the request pass. */
  readonly answers: readonly number[]
  /** The server is of another origin, and exposes no header. */
  readonly isElsewhere: boolean
}

export function gateway({ answers, isElsewhere }: GatewayOptions, send: typeof fetch): typeof fetch {
  const left = [...answers]
  return async (input, init) => {
    const inFront = IN_FRONT[left.shift() ?? -1]
    if (inFront) return inFront()
    const response = await send(input, init)
    if (!isElsewhere) return response
    const headers = [...response.headers].filter(([name]) => SAFELISTED.includes(name))
    return new Response(await response.arrayBuffer(), { status: response.status, headers })
  }
}
