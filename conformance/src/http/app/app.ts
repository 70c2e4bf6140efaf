/** The application that every binding is tested with, described so that any framework can serve it. */
import type { ServerResponse } from 'node:http'
import type { Attempt, Idempotency } from '@retryproof/core'
import type { HeaderField, HttpOptions, StatusResource } from '@retryproof/http'

export interface BindingApp<Native> {
  readonly routes: readonly Route<Native>[]
  /** Headers that the application sets for each request anew, before the binding has its turn. */
  before(): HeaderField[]
  /**
   * The application's authentication, to be asked before the binding (`authenticates` of the harness): the status that a
   * request is refused with; `undefined`: it may pass.
   */
  refuses(header: (name: string) => string | null | undefined): number | undefined
  /** The resource that the binding serves for answers that come later, at `path` and the id of one of them. */
  readonly status: { readonly path: string; readonly resource: StatusResource<Native> }
}

export interface Route<Native> {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** The path at which its router is mounted; `undefined`: directly in the application. */
  readonly prefix: string | undefined
  readonly path: string
  /** The options of `idempotent`; `undefined`: the route is not guarded. */
  readonly guard: RouteGuard<Native> | undefined
  /** The handler is to be given to `idempotent`, with `transaction: true`, and its transaction to `handle`. */
  readonly transaction: boolean
  /** The place of compression on this route: before the binding, or between it and the handler. */
  readonly compression: 'outside' | 'inside' | undefined
  /**
   * Stands around the binding, where middleware may: once this resolves, it answers with 503 by itself, as time-outs do. Takes
   * the `X-Case` of the request.
   */
  readonly timeout: ((id: string) => Promise<void>) | undefined
  /** Runs the handler. A binding throws its error on. */
  handle(request: RouteRequest): Promise<Answer>
}

export interface RouteGuard<Native> {
  readonly idempotency: Idempotency
  readonly options: HttpOptions<Native>
  /** The options of another `idempotent` of the same instance, which stands in front of this one. */
  readonly outer: HttpOptions<Native> | undefined
}

/** A request, as the handlers see it. */
export interface RouteRequest {
  readonly attempt: Attempt | undefined
  /** The transaction that the binding hands to a handler that it was given. */
  readonly tx?: unknown
  header(name: string): string | null | undefined
  /** The body as a handler of the framework gets it: its value where it is JSON, else its bytes. */
  body(): Promise<unknown>
  /** The server's own response, where the framework hands that out. */
  readonly response?: ServerResponse
  /** Resolves when the server knows that the client has left. */
  clientGone(): Promise<void>
}

/** The answer of a handler, to be given in the way in which the framework's users give it. */
export type Answer = PlainAnswer | Redirect | Failure

export interface PlainAnswer {
  readonly status: number
  /** A name that occurs several times is to be sent several times. */
  readonly headers?: readonly HeaderField[]
  /** Headers to be removed that were set before the binding. */
  readonly removes?: readonly string[]
  readonly body?: Body
  /** To be written to the server's own response, where the framework hands that out: as it is, or by this function. */
  readonly raw?: boolean | ((response: ServerResponse) => void)
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
