/** Puts the routes, a store and what is known of the framework together. */
import { createIdempotency, type Idempotency, type IdempotencyStore, unscoped } from '@retryproof/core'
import type { HttpOptions } from '@retryproof/http'
import { statusResource } from '@retryproof/http/status'
import type { BindingApp } from './app.ts'
import { writesOf } from './business-writes.ts'
import { caseOf } from './cases.ts'
import { overhear, overheard } from './event-log.ts'
import { controlRoutes } from './routes/control.ts'
import { earlyRoutes, STATUS_PATH } from './routes/early.ts'
import { failingRoutes, scopeAsAsked, throwAsAsked } from './routes/failing.ts'
import { plainRoutes } from './routes/plain.ts'
import { requestRoutes } from './routes/requests.ts'
import type { RouteDescription, RouteOptions } from './routes/route.ts'
import { stackedRoutes } from './routes/stacked.ts'
import { streamRoutes } from './routes/streams.ts'
import { transactionRoutes } from './routes/transaction.ts'
import { waitingRoutes } from './routes/waiting.ts'
import { slow, unreachable, unrecording } from './stores.ts'

export interface BindingAppOptions<Native> {
  /** Records of any age are welcome: keys are new in each run. */
  readonly store: IdempotencyStore<unknown>
  /** A header of the framework's request; nothing where it is not there. */
  readonly header: (request: Native, name: string) => string | null | undefined
  /** True where the framework tells the pattern of a route. If not, operations are named. @default true */
  readonly knowsRoutes?: boolean
}

const descriptions: readonly RouteDescription[] = [
  ...plainRoutes,
  ...failingRoutes,
  ...waitingRoutes,
  ...streamRoutes,
  ...requestRoutes,
  ...stackedRoutes,
  ...earlyRoutes,
  ...transactionRoutes,
  ...controlRoutes,
]

/** The application, on a store. Its state for the checks is kept in the process, whichever copy of this module it has. */
export function bindingApp<Native extends object>({
  store,
  header,
  knowsRoutes = true,
}: BindingAppOptions<Native>): BindingApp<Native> {
  const namespace = 'suite'
  const impatient = { namespace, storeTimeout: 200, settleTimeout: 200 }
  const instances: Record<NonNullable<RouteOptions['store']>, Idempotency> = {
    given: createIdempotency({ store: overheard(store), namespace }),
    unreachable: createIdempotency({ store: unreachable(store), ...impatient }),
    unrecording: createIdempotency({ store: unrecording(store), ...impatient }),
    slow: createIdempotency({ store: slow(store), namespace }),
  }
  for (const idempotency of Object.values(instances)) overhear(idempotency)
  const user = (request: Native) => header(request, 'x-user') ?? 'nobody'
  const resource = statusResource<Native>(instances.given, {
    path: STATUS_PATH,
    scope: user,
    secret: 'the secret of a suite',
  })
  const writes = writesOf(store)
  const throwing: Pick<HttpOptions<Native>, 'scope' | 'key' | 'problem'> = {
    async scope(request) {
      throwAsAsked('scope', header(request, 'x-throws'))
      return user(request)
    },
    key(request) {
      throwAsAsked('key', header(request, 'x-throws'))
      return header(request, 'idempotency-key') ?? undefined
    },
    problem(_, request) {
      throwAsAsked('problem', header(request, 'x-throws'))
      return undefined
    },
  }

  /** Not `async`, so that it throws at once. */
  function askedScope(request: Native): string {
    throwAsAsked('scope', header(request, 'x-throws'))
    return scopeAsAsked(header(request, 'x-scope') ?? '')
  }

  function optionsOf(
    name: string,
    { store: _, byUser, respond, throwsAsAsked, scopeAsAsked: isScopeAsked, ...options }: RouteOptions,
  ): HttpOptions<Native> {
    return {
      scope: byUser ? user : unscoped,
      ...(!knowsRoutes && { operation: name }),
      ...(respond && { respond, statusResource: resource }),
      ...(throwsAsAsked && throwing),
      ...(isScopeAsked && { scope: askedScope }),
      ...options,
    }
  }

  let requests = 0
  return {
    routes: descriptions
      .filter(({ guard }) => !guard?.transaction || store.capabilities.transactional === 'async')
      .map(({ method = 'POST', prefix, path, guard = {}, outer, compression, timeout, handle }) => ({
        method,
        prefix,
        path,
        compression,
        timeout,
        transaction: guard?.transaction ?? false,
        handle: async (request) => handle({ ...request, ...writes(request.tx) }),
        guard: guard
          ? {
              idempotency: instances[guard.store ?? 'given'],
              options: optionsOf(`${method} ${prefix ?? ''}${path}`, guard),
              outer: outer && optionsOf(`${method} ${prefix ?? ''}${path}`, outer),
            }
          : undefined,
      })),
    before: () => [
      ['X-Request-Id', `request ${++requests}`],
      ['Access-Control-Allow-Origin', '*'],
      ['X-RateLimit-Remaining', String(1_000_000 - requests)],
    ],
    refuses: (headerOf) => (caseOf(headerOf('x-user') ?? '').isRevoked ? 401 : undefined),
    status: { path: STATUS_PATH, resource },
  }
}
