/** A request of Hono, as a guard takes it. */
import type { Exchange, HeaderField } from '@retryproof/http'
import { headerFields } from '@retryproof/http/fetch'
import type { Context } from 'hono'
import { incomingOf } from './incoming.ts'
import { bodyOf } from './request-body.ts'

export function toExchange(c: Context): Exchange<Context> {
  const { req } = c
  return {
    method: req.method,
    target: req.url.slice(req.url.indexOf('/', req.url.indexOf('//') + 2)),
    headers: fieldsOf(c),
    ...bodyOf(c),
    route: routePattern(c),
    signal: () => req.raw.signal,
    native: c,
  }
}

/** The pattern of the route, prefixes included; `undefined` for middleware that stands before several routes. */
function routePattern(c: Context): string | undefined {
  const route = routesOf(c)?.[c.req.routeIndex]
  return route?.method === 'ALL' && route.path.includes('*') ? undefined : route?.path
}

/** The method of the route that the guard stands in; `undefined` where that is a route of all methods. */
export function ownMethod(c: Context): string | undefined {
  const method = routesOf(c)?.[c.req.routeIndex]?.method
  return method === 'ALL' ? undefined : method
}

/** Tells whether Hono would call one handler only, if the guard were not there: then it answers itself where that does not. */
export function isAlone(c: Context, hasHandler: boolean): boolean {
  return routesOf(c)?.length === (hasHandler ? 1 : 2)
}

/** Read from the request, and not by `hono/route`: an application on CommonJS has another copy of that than this package. */
function routesOf({ req }: Context): typeof req.matchedRoutes | undefined {
  return req.matchedRoutes
}

/** On Node as they were sent, where Fetch joins those that occur several times. */
function fieldsOf(c: Context): HeaderField[] {
  const incoming = incomingOf(c)
  return incoming ? headerFields(incoming) : [...c.req.raw.headers]
}
