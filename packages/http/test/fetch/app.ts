/** The application of the suite as one Fetch handler, for any runtime. */
import { type Answer, bindingApp, type PlainAnswer, type Route } from '@retryproof/conformance/http/app'
import type { IdempotencyStore } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import type { CreateApp, Lifetime } from '../../../../conformance/test/runtimes/app.ts'
import { attemptOf, type FetchOptions, idempotent, serveStatus } from '../../src/fetch.ts'

type Handler = (request: Request, lifetime?: Lifetime) => Promise<Response>

export const createApp: CreateApp = () => fetchApp(memoryStore())

export function fetchApp(store: IdempotencyStore<unknown>): Handler {
  const app = bindingApp<Request>({ store, header: ({ headers }, name) => headers.get(name), knowsRoutes: false })
  const handlers = new Map(
    app.routes.map((route) => [`${route.method} ${route.prefix ?? ''}${route.path}`, handlerOf(route)]),
  )

  return async (request, lifetime) => {
    const { pathname } = new URL(request.url)
    const refused = app.refuses((name) => request.headers.get(name))
    if (refused !== undefined) return new Response(null, { status: refused })
    const handler = handlers.get(`${request.method} ${pathname}`)
    const response = handler ? await handler(request, lifetime) : await status(request, pathname)
    for (const [name, value] of app.before()) response.headers.set(name, value)
    return response
  }

  async function status(request: Request, pathname: string): Promise<Response> {
    const { path, resource } = app.status
    if (!pathname.startsWith(`${path}/`)) return new Response('There is nothing here.', { status: 404 })
    return serveStatus(resource)(request, pathname.slice(path.length + 1))
  }
}

function handlerOf(route: Route<Request>): Handler {
  const { guard, transaction, compression, timeout } = route
  if (!guard) return (request) => run(route, request)
  const options: FetchOptions<[Lifetime?]> = {
    ...guard.options,
    waitUntil: (work, _request, lifetime) => lifetime?.waitUntil(work.catch(() => undefined)),
  }
  const guarded = transaction
    ? idempotent<[Lifetime?], unknown>(guard.idempotency, { ...options, transaction }, (request, { tx }) =>
        run(route, request, tx),
      )
    : idempotent<[Lifetime?], unknown>(guard.idempotency, options, (request) => run(route, request))
  const { outer } = guard
  if (outer) {
    return idempotent<[Lifetime?], unknown>(guard.idempotency, outer, (request, _context, lifetime) =>
      guarded(request, lifetime),
    )
  }
  if (timeout) {
    return (request, lifetime) => {
      const passed = timeout(request.headers.get('x-case') ?? '').then(() => new Response(null, { status: 503 }))
      return Promise.race([guarded(request, lifetime), passed])
    }
  }
  if (compression !== 'outside') return guarded
  return async (request, lifetime) => compressed(request, await guarded(request, lifetime))
}

async function run({ handle, compression }: Route<Request>, request: Request, tx?: unknown): Promise<Response> {
  const answer = await handle({
    attempt: attemptOf(request),
    tx,
    header: (name) => request.headers.get(name),
    body: () => bodyOf(request),
    clientGone: () => new Promise((resolve) => request.signal.addEventListener('abort', () => resolve())),
  })
  const response = responseOf(request, answer)
  return compression === 'inside' ? compressed(request, response) : response
}

async function bodyOf(request: Request): Promise<unknown> {
  if (request.headers.get('content-type') === 'application/json') return request.json()
  return new Uint8Array(await request.arrayBuffer())
}

function responseOf({ url }: Request, answer: Answer): Response {
  if ('fails' in answer) throw new Error('Fetch has no errors with a status')
  if ('redirect' in answer) return Response.redirect(new URL(answer.redirect, url), 303)
  const { status, body } = answer
  const headers = (answer.headers ?? []).map(([name, value]): [string, string] => [name, value])
  if (body && 'json' in body) return Response.json(body.json, { status, headers })
  return new Response(contentOf(body), { status, headers })
}

function contentOf(body: PlainAnswer['body']): string | Uint8Array<ArrayBuffer> | ReadableStream | null {
  if (!body || 'json' in body) return null
  if ('text' in body) return body.text
  if ('bytes' in body) return new Uint8Array(body.bytes)
  const pieces = body.chunks[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pieces.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
  })
}

/** As a middleware that compresses does it. */
function compressed(request: Request, response: Response): Response {
  if (request.headers.get('accept-encoding') !== 'gzip' || !response.body) return response
  const headers = new Headers(response.headers)
  headers.delete('content-length')
  headers.set('content-encoding', 'gzip')
  // workerd would compress it again
  const init = { status: response.status, headers, encodeBody: 'manual' }
  return new Response(response.body.pipeThrough(new CompressionStream('gzip')), init)
}
