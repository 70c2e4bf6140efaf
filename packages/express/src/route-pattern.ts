/** Finds the pattern of the route that serves a request, where Express shows it. */
import type { Request } from 'express'

/** The members of Express's routers, 4 and 5, that are read here. */
export interface Layer {
  readonly handle: object & { readonly stack?: readonly Layer[] }
  readonly route?: Route | undefined
  /** In the stack of a route: its method in lower case. `app.all` makes a layer for each that there is. */
  readonly method?: string
  /** Express 4, and the routers of Express 5 before 2.3: the names of the parameters. */
  readonly keys?: readonly unknown[]
  /** The routers of Express 5 from 2.3 on. */
  readonly rawPath?: unknown
}

interface Route {
  readonly path: unknown
  readonly stack: readonly Layer[]
}

/** The note that `vhost` leaves on a request: a list of what its `*` stood for, with the name of the host. */
interface VirtualHost {
  readonly hostname: string
  readonly length: number
}

interface Application {
  /** Express 4. */
  readonly _router?: { readonly stack: readonly Layer[] }
  /** Express 5. In Express 4 reading it throws. */
  readonly router?: { readonly stack: readonly Layer[] }
  readonly mountpath?: unknown
  readonly parent?: Application
}

/**
 * Gives the prefixes of mounted routers and the pattern of the route; `undefined` where `middleware` does not stand in a route,
 * or where a prefix or the name of a virtual host has parameters, of which Express keeps only the values.
 */
export function routePattern(req: Request, middleware: object): string | undefined {
  const route = req.route as Route | undefined
  if (!route || !standsIn(route, middleware)) return undefined
  if (!hasLiteralMounts(req.app as unknown as Application, route)) return undefined
  const host = hostOf(req as { readonly vhost?: VirtualHost })
  return host === undefined ? undefined : host + req.baseUrl + pathOf(route)
}

/** Gives the method of the request where `middleware` stands in a route for that method alone. */
export function ownMethod(req: Request, middleware: object): string | undefined {
  const lower = req.method.toLowerCase()
  let isOwn = false
  for (const { handle, method } of (req.route as Route | undefined)?.stack ?? []) {
    if (handle !== middleware) continue
    // in a route of all methods
    if (method === undefined || method === 'options') return undefined
    isOwn ||= method === lower
  }
  return isOwn ? req.method : undefined
}

function standsIn({ stack }: Route, middleware: object): boolean {
  for (const { handle } of stack) if (handle === middleware) return true
  return false
}

function pathOf({ path }: Route): string {
  return typeof path === 'string' ? path : [path].flat().map(String).join('|')
}

/** Gives the host for which the application serves; `undefined` where its name has a `*`, of which only the value is left. */
function hostOf({ vhost }: { readonly vhost?: VirtualHost }): string | undefined {
  if (!vhost) return ''
  return vhost.length === 0 ? `//${vhost.hostname.toLowerCase()}` : undefined
}

const known = new WeakMap<Route, boolean>()

function hasLiteralMounts(app: Application, route: Route): boolean {
  const before = known.get(route)
  if (before !== undefined) return before
  const mounts = mountsOf(layersOf(app), route)
  const literal = mounts.length > 0 && mounts.flat().every(isLiteral) && isMountedLiterally(app)
  known.set(route, literal)
  return literal
}

/** Gives the layers of an application's own router. */
export function layersOf(app: object): readonly Layer[] {
  const { _router: router4 } = app as Application
  return (router4 ?? (app as Application).router)?.stack ?? []
}

/** For each place where the route can be reached: the mounts on the way to it. */
function mountsOf(stack: readonly Layer[], route: Route): Layer[][] {
  return stack.flatMap((layer) => {
    if (layer.route === route) return [[]]
    return mountsOf(layer.handle.stack ?? [], route).map((inner) => [layer, ...inner])
  })
}

function isLiteral({ rawPath, keys = [] }: Layer): boolean {
  return rawPath === undefined ? keys.length === 0 : isLiteralPath(rawPath)
}

function isMountedLiterally({ mountpath, parent }: Application): boolean {
  return !parent || (isLiteralPath(mountpath) && isMountedLiterally(parent))
}

function isLiteralPath(path: unknown): boolean {
  return [path].flat().every((each) => typeof each === 'string' && !/[:*{(]/.test(each))
}
