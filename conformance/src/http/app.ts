/** The application that every binding is tested with, described so that any framework can serve it. */
import { type Attempt, createIdempotency, type Idempotency, type IdempotencyStore, unscoped } from '@retryproof/core'
import type { HeaderField, HttpOptions } from '@retryproof/http'
import { type RouteOptions, routes } from './routes.ts'
import { unreachable, unrecording } from './stores.ts'

export interface BindingApp<Native> {
  readonly routes: readonly Route<Native>[]
  /** Headers that the application sets for each request anew, before the binding has its turn. */
  before(): HeaderField[]
}

export interface Route<Native> {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Where its router is mounted; `undefined`: directly in the application. */
  readonly prefix: string | undefined
  readonly path: string
  /** What `idempotent` is to be called with; `undefined`: the route is not guarded. */
  readonly guard: { readonly idempotency: Idempotency; readonly options: HttpOptions<Native> } | undefined
  /** Where this route has compression: before the binding, or between it and the handler. */
  readonly compression: 'outside' | 'inside' | undefined
  /** What the handler does. What it throws is to be thrown on. */
  handle(request: RouteRequest): Promise<Answer>
}

/** A request, as the handlers see it. */
export interface RouteRequest {
  readonly attempt: Attempt | undefined
  header(name: string): string | undefined
  /** The body as a handler of the framework gets it: its value where it is JSON, else its bytes. */
  body(): Promise<unknown>
  /** Resolves when the server knows that the client has left. */
  clientGone(): Promise<void>
}

/** What a handler answers, to be given in the way in which the framework's users give it. */
export type Answer = PlainAnswer | Redirect | Failure

export interface PlainAnswer {
  readonly status: number
  /** A name that occurs several times is to be sent several times. */
  readonly headers?: readonly HeaderField[]
  readonly body?: Body
  /** The handler throws after it has answered. */
  readonly throwsAfterwards?: boolean
}

export interface Redirect {
  readonly status: number
  readonly redirect: string
}

/** The handler throws the framework's own error for this status. */
export interface Failure {
  readonly fails: number
}

export type Body =
  | { readonly json: unknown }
  | { readonly text: string }
  | { readonly bytes: Uint8Array }
  | { readonly chunks: AsyncIterable<Uint8Array> }

export interface BindingAppOptions<Native> {
  /** Records of any age are welcome: keys are new in each run. */
  readonly store: IdempotencyStore
  /** A header of the framework's request; give nothing where it is not there. */
  readonly header: (request: Native, name: string) => string | null | undefined
  /** Whether the framework tells the pattern of a route. If not, operations are named. @default true */
  readonly knowsRoutes?: boolean
}

/** The same application each time; state that its checks look at is the process's. */
export function bindingApp<Native extends object>({
  store,
  header,
  knowsRoutes = true,
}: BindingAppOptions<Native>): BindingApp<Native> {
  const instances: Record<NonNullable<RouteOptions['store']>, Idempotency> = {
    given: createIdempotency({ store, namespace: 'suite' }),
    unreachable: createIdempotency({ store: unreachable(store), namespace: 'suite', storeTimeout: 200 }),
    unrecording: createIdempotency({
      store: unrecording(store),
      namespace: 'suite',
      storeTimeout: 200,
      settleTimeout: 200,
    }),
  }

  function optionsOf(name: string, { store: _, byUser, ...options }: RouteOptions): HttpOptions<Native> {
    return {
      scope: byUser ? (request) => header(request, 'x-user') ?? '' : unscoped,
      ...(knowsRoutes ? {} : { operation: name }),
      ...options,
    }
  }

  let requests = 0
  return {
    routes: routes.map(({ method = 'POST', prefix, path, guard = {}, compression, handle }) => ({
      method,
      prefix,
      path,
      compression,
      handle: async (request) => handle(request),
      guard: guard && {
        idempotency: instances[guard.store ?? 'given'],
        options: optionsOf(`${method} ${prefix ?? ''}${path}`, guard),
      },
    })),
    before: () => [
      ['X-Request-Id', `request ${++requests}`],
      ['Access-Control-Allow-Origin', '*'],
      ['X-RateLimit-Remaining', String(1_000_000 - requests)],
    ],
  }
}
