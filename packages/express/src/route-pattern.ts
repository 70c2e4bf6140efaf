/** Finds the pattern of the route that serves a request, where Express shows it. */
import type { Request } from 'express'

/** The members of Express's routers, 4 and 5, that are read here. */
export interface Layer {
  readonly handle: object & { readonly stack?: readonly Layer[] }
  readonly route?: Route | undefined
  /** Express 4, and the routers of Express 5 before 2.3: the names of the parameters. */
  readonly keys?: readonly unknown[]
  /** The routers of Express 5 from 2.3 on. */
  readonly rawPath?: unknown
}

interface Route {
  readonly path: unknown
  readonly stack: readonly Layer[]
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
 * or where a prefix has parameters, of which Express keeps only the values.
 */
export function routePattern(req: Request, middleware: object): string | undefined {
  const route = req.route as Route | undefined
  if (!route?.stack.some((layer) => layer.handle === middleware)) return undefined
  if (!hasLiteralMounts(req.app as unknown as Application, route)) return undefined
  return req.baseUrl + [route.path].flat().map(String).join('|')
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
