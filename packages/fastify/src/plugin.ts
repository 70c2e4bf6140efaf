/** A plugin of Fastify: routes say in their config that they are safe to retry. */
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import { attemptFor, GUARDED_METHODS, type Guarding, type HandlerAttempt, type HttpOptions } from '@retryproof/http'
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import { idempotent } from './idempotent.ts'

/** Options of one route, or of all routes of an instance. A route with a transaction is made by `idempotent`. */
export type RouteIdempotency = Omit<HttpOptions<FastifyRequest>, 'transaction' | 'commitWhen'>

/** Options of `idempotencyPlugin`: what all routes have in common, and the instance that remembers their answers. */
export interface IdempotencyPluginOptions extends RouteIdempotency {
  /** The result of `createIdempotency`, which guards every route that asks for it. */
  readonly idempotency: Guarding<unknown>
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The attempt that handles this request; `undefined` where it passes without protection. */
    readonly idempotency: HandlerAttempt | undefined
  }
  interface FastifyContextConfig {
    /**
     * Makes the route safe to retry, with options of its own besides those of the plugin: `Partial<RouteIdempotency>`.
     * Its type names none of ours, since a program may hold both the ESM and the CommonJS types of this package.
     */
    readonly idempotent?: boolean | object
  }
}

/** Notes on the config of a route the guard that it has. */
const GUARDED = Symbol('retryproof.guarded')

type RouteGuard = ReturnType<typeof idempotent>
type HookName = keyof RouteGuard

const hookNames: readonly HookName[] = ['preParsing', 'preHandler', 'onError', 'onSend']

/**
 * Makes those routes safe to retry that have `config: { idempotent: true }`, or options of their own there. Their own hooks
 * run first, so that a `preHandler` that refuses a user refuses a replay too.
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option is not what it must be
 *
 * @example
 * import { createIdempotency } from '@retryproof/core'
 * import { idempotencyPlugin } from '@retryproof/fastify'
 * import { memoryStore } from '@retryproof/memory'
 * import Fastify from 'fastify'
 *
 * const app = Fastify()
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'payments' })
 * await app.register(idempotencyPlugin, { idempotency, scope: (request) => request.headers['x-user'] })
 * app.post('/charges', { config: { idempotent: true } }, async (request) => ({ attempt: request.idempotency?.number }))
 */
export function idempotencyPlugin(
  app: FastifyInstance,
  options: IdempotencyPluginOptions,
  done: (error?: Error) => void,
): void {
  try {
    guardRoutes(app, options)
    done()
  } catch (error) {
    done(error as Error)
  }
}

function guardRoutes(app: FastifyInstance, { idempotency, ...common }: IdempotencyPluginOptions): void {
  // refuses wrong options at once, also where no route is guarded
  const guard = idempotent(idempotency, common)
  if (!app.hasRequestDecorator('idempotency')) {
    app.decorateRequest('idempotency', {
      getter() {
        return attemptFor(this)
      },
    })
  }
  app.addHook('onRoute', (route) => {
    const own = route.config?.idempotent
    if (!own || route.method === 'HEAD') return
    const all = typeof own === 'object' ? { ...common, ...own } : common
    const nearest = all === common ? guard : idempotent(idempotency, all)
    requireCovered(route, all.methods)
    protect(route, nearest)
  })
  app.addHook('onRequest', async ({ method, routeOptions: { config, url } }) => {
    if (!config.idempotent || GUARDED in config || method === 'HEAD') return
    throw new IdempotencyInvalidOptionError(
      'config.idempotent',
      `${method} ${url} was declared before the plugin was loaded: await app.register(idempotencyPlugin, …) first`,
    )
  })
}

// for the instance that registers it, and not for one below
Object.assign(idempotencyPlugin, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: '@retryproof/fastify',
})

/** Puts the guard's hooks after those that the route has, in place of the hooks of a guard further out. */
function protect(route: RouteOptions, guard: RouteGuard): void {
  const { [GUARDED]: outer } = (route.config ?? {}) as { readonly [GUARDED]?: RouteGuard }
  const hooks = hookNames.map((name) => {
    const others = [route[name] ?? []].flat().filter((each) => each !== outer?.[name])
    return [name, [...others, guard[name]]] as const
  })
  Object.assign(route, Object.fromEntries(hooks), { config: { ...route.config, [GUARDED]: guard } })
}

/** Refuses a route of which some methods would run unguarded, without a word. */
function requireCovered(route: RouteOptions, methods: readonly string[] = []): void {
  const all = [route.method].flat()
  const covered = new Set([...GUARDED_METHODS, 'HEAD', ...methods.map((method) => method.toUpperCase())])
  const left = all.filter((method) => !covered.has(method))
  if (all.length === 1 || left.length === 0) return
  throw new IdempotencyInvalidOptionError(
    'methods',
    `must name ${left.join(', ')} of ${route.url}: a route of several methods guards POST, PATCH and what methods adds`,
  )
}
