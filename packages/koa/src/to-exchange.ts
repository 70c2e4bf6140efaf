/** A request of Koa, as a guard takes it. */
import type { Exchange, RequestBody } from '@retryproof/http'
import { closeSignal, givenBody, headerFields } from '@retryproof/http/node'
import type { Context } from 'koa'

/** Members that `@koa/router` and body parsers leave in a context. */
interface Left {
  /** Routes, and middleware of routers, that fit the path. */
  readonly matched?: readonly {
    /** Prefixes of routers included. */
    readonly path: string | RegExp
    /** Empty for middleware of a router. */
    readonly methods: readonly string[]
    readonly stack: readonly unknown[]
  }[]
  /** The router that serves the request. */
  readonly router?: { readonly host?: string | RegExp | readonly string[] }
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
    headers: headerFields(ctx.req),
    ...bodyOf(ctx),
    route: routePattern(ctx, middleware),
    signal: () => closeSignal(ctx.res),
    native: ctx,
  }
}

/** With what mounts have cut off in front; `undefined` where the middleware does not stand in a route of a router. */
function routePattern(ctx: Context, middleware: unknown): string | undefined {
  const route = routeOf(ctx, middleware)
  if (!route) return undefined
  const [path = ''] = ctx.originalUrl.split('?', 1)
  const mounted = path.endsWith(ctx.path) ? path.slice(0, -ctx.path.length) : ''
  return hostOf(ctx) + mounted + String(route.path)
}

/** Gives the method of the request where the middleware stands in a route for that method alone. */
export function ownMethod(ctx: Context, middleware: unknown): string | undefined {
  // a router adds HEAD to GET
  const methods = routeOf(ctx, middleware)?.methods.filter((method) => method !== 'HEAD')
  return methods?.length === 1 && methods[0] === ctx.method ? ctx.method : undefined
}

function routeOf(ctx: Context, middleware: unknown) {
  const { matched = [] } = ctx as Left
  return matched.find(({ methods, stack }) => methods.includes(ctx.method) && stack.includes(middleware))
}

/** Gives the hosts to which the router is bound, so that routes of others are other operations. */
function hostOf(ctx: Context): string {
  const { host } = (ctx as Left).router ?? {}
  return host === undefined ? '' : `//${[host].flat().map(String).join('|')}`
}

function bodyOf(ctx: Context): RequestBody {
  const { body, rawBody, file, files } = (ctx as Left).request
  return givenBody(ctx.req, { parsed: body, raw: rawBody, files: [file, files] })
}
