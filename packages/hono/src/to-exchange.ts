/** A request of Hono, as a guard takes it. */
import type { Exchange, HeaderField, RequestBody } from '@retryproof/http'
import { headerFields, readUpTo } from '@retryproof/http/fetch'
import type { Context } from 'hono'
import { matchedRoutes } from 'hono/route'

export function toExchange(c: Context): Exchange<Context> {
  const { req } = c
  return {
    method: req.method,
    target: req.url.slice(req.url.indexOf('/', req.url.indexOf('//') + 2)),
    headers: fieldsOf(c),
    ...bodyOf(c),
    route: routePattern(c),
    get signal() {
      return req.raw.signal
    },
    native: c,
  }
}

/** The pattern of the route, prefixes included; `undefined` for middleware that stands before several routes. */
function routePattern(c: Context): string | undefined {
  const route = matchedRoutes(c)[c.req.routeIndex]
  return route?.method === 'ALL' && route.path.includes('*') ? undefined : route?.path
}

/** On Node as they were sent, where Fetch joins those that occur several times. */
function fieldsOf({ env, req }: Context): HeaderField[] {
  const rawHeaders: unknown = (env as { incoming?: { rawHeaders?: unknown } } | undefined)?.incoming?.rawHeaders
  return Array.isArray(rawHeaders) ? headerFields(rawHeaders as string[]) : [...req.raw.headers]
}

/** Read through Hono's own cache, where handlers and validators find it. */
function bodyOf({ req }: Context): RequestBody {
  const { bodyCache } = req
  const isCached = bodyCache.arrayBuffer ?? bodyCache.text ?? bodyCache.json ?? bodyCache.blob
  if (!isCached && req.raw.bodyUsed) return { body: undefined }
  return {
    body: undefined,
    async read(maxBytes) {
      const body = await readBody(req, maxBytes)
      if (body) cacheText(req, body)
      return body
    },
  }
}

const utf8 = new TextDecoder()

/** What handlers ask for most, which Hono would make of the octets by way of a response. */
function cacheText({ bodyCache }: Context['req'], body: Uint8Array): void {
  if (bodyCache.text) return
  Object.defineProperty(bodyCache, 'text', { configurable: true, get: () => Promise.resolve(utf8.decode(body)) })
}

async function readBody(req: Context['req'], maxBytes: number): Promise<Uint8Array | null> {
  const declared = req.header('content-length')
  if (declared !== undefined && Number(declared) > maxBytes) return null
  if (declared !== undefined || Object.keys(req.bodyCache).length > 0) {
    const body = new Uint8Array(await req.arrayBuffer())
    return body.length > maxBytes ? null : body
  }
  const body = await readUpTo(maxBytes, req.raw.body)
  // what Hono keeps there is a promise, whatever its type says
  if (body) Object.assign(req.bodyCache, { arrayBuffer: Promise.resolve(new Uint8Array(body).buffer) })
  return body
}
