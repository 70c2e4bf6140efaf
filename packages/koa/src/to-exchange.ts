/** A request of Koa, as a guard takes it. */
import type { Exchange, RequestBody } from '@retryproof/http'
import { givenBody, headerFields } from '@retryproof/http/node'
import type { Context } from 'koa'

/** What `@koa/router` and body parsers leave in a context. */
interface Left {
  /** Routes, and middleware of routers, that fit the path. */
  readonly matched?: readonly {
    /** Prefixes of routers included. */
    readonly path: string | RegExp
    /** Empty for middleware of a router. */
    readonly methods: readonly string[]
    readonly stack: readonly unknown[]
  }[]
  readonly request: {
    readonly body?: unknown
    readonly rawBody?: unknown
    readonly file?: unknown
    readonly files?: unknown
  }
}

export function toExchange(ctx: Context, middleware: unknown): Exchange<Context> {
  return {
    method: ctx.method,
    target: ctx.originalUrl,
    headers: headerFields(ctx.req.rawHeaders),
    ...bodyOf(ctx),
    route: routePattern(ctx, middleware),
    get signal() {
      const controller = new AbortController()
      ctx.res.once('close', () => controller.abort())
      return controller.signal
    },
    native: ctx,
  }
}

/** With what mounts have cut off in front; `undefined` where the middleware does not stand in a route of a router. */
function routePattern(ctx: Context, middleware: unknown): string | undefined {
  const { matched = [] } = ctx as Left
  const route = matched.find(({ methods, stack }) => methods.includes(ctx.method) && stack.includes(middleware))
  if (!route) return undefined
  const [path = ''] = ctx.originalUrl.split('?', 1)
  const mounted = path.endsWith(ctx.path) ? path.slice(0, -ctx.path.length) : ''
  return mounted + String(route.path)
}

function bodyOf(ctx: Context): RequestBody {
  const { body, rawBody, file, files } = (ctx as Left).request
  return givenBody(ctx.req, { parsed: body, raw: rawBody, files: [file, files] })
}
