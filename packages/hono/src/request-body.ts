/** The body of a Hono request, read so that every later reader finds it: handlers, validators, proxies and mounted applications. */
import type { RequestBody } from '@retryproof/http'
import { requestBody } from '@retryproof/http/fetch'
import type { Context } from 'hono'
import { incomingOf, isUntouched, readIncoming } from './incoming.ts'

export function bodyOf(c: Context): RequestBody {
  const { req } = c
  const cache = req.bodyCache as Record<string, unknown>
  // the application has read it by way of Hono, which keeps it
  if (cache.arrayBuffer || cache.text || cache.json || cache.blob) {
    return { body: undefined, read: (maxBytes) => readCached(req, maxBytes) }
  }
  const incoming = incomingOf(c)
  if (!incoming || !isUntouched(incoming, req.raw)) return requestBody(req.raw)
  if (incoming.readableEnded) return { body: new Uint8Array() }
  return {
    body: undefined,
    async read(maxBytes) {
      // a scope or a key may have looked at the request of Fetch meanwhile, which then has the body
      if (!isUntouched(incoming, req.raw)) return (await requestBody(req.raw).read?.(maxBytes)) ?? null
      if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) return null
      const body = await readIncoming(incoming, maxBytes)
      if (body) cacheText(req, body)
      return body
    },
  }
}

async function readCached(req: Context['req'], maxBytes: number): Promise<Uint8Array | null> {
  const body = new Uint8Array(await req.arrayBuffer())
  return body.length > maxBytes ? null : body
}

const utf8 = new TextDecoder()

/** One getter for all requests: V8 makes a dictionary of an object that has a getter of its own. */
const TEXT = {
  configurable: true,
  get(this: { readonly [BODY]: Uint8Array }): Promise<string> {
    return Promise.resolve(utf8.decode(this[BODY]))
  },
}

const BODY = Symbol('retryproof.body')

/** Keeps the form that handlers ask for most, which Hono would make of the bytes by way of a response. */
function cacheText({ bodyCache }: Context['req'], body: Uint8Array): void {
  Object.defineProperty(Object.assign(bodyCache, { [BODY]: body }), 'text', TEXT)
}
