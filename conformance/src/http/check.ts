import type { BindingClient } from './client.ts'
import type { Server } from './transport.ts'

/** Names features that not every framework or runtime has, and that a check needs. */
export type BindingNeed =
  /** The pattern of a route is known, mounted routers included. */
  | 'routes'
  /** A handler answers by a call, after which it may go on. */
  | 'answers by a call'
  /** An error that a handler throws may have a status. */
  | 'errors with a status'
  /** Headers that are sent several times are told from one. */
  | 'repeated headers'
  /** The body as it was sent can be had, even where a parser ran. */
  | 'raw bodies'
  /** A handler can learn that its client has left. */
  | 'disconnects'
  /** Middleware may stand before the binding, and set headers. */
  | 'middleware'
  /** A handler sees the headers that were set before the binding, and can remove them. */
  | 'headers of others'
  /** A handler may write to the server's own response, past the framework. */
  | 'raw responses'
  /** An answer that fails midway looks cut. */
  | 'cut answers'
  /** Middleware may stand before the binding and answer by itself. */
  | 'time-outs'
  | 'compression outside'
  | 'compression inside'
  /** The store of this run has transactions that handlers may await in. */
  | 'transactions'
  /** The server is one of `node:http`, in the process of the check, which closes its idle connections. */
  | 'closing'
  /** The server speaks HTTP/1.1, in which a request can be written by hand. */
  | 'the wire of HTTP/1.1'
  /** The server's process tells how much memory it holds. */
  | 'memory'

/** Runs the application of `@retryproof/conformance/http/app` on a framework. */
export interface BindingHarness {
  /** Starts a server with all routes of the application on a free port of 127.0.0.1. */
  start(): Promise<BindingServer>
  /** The features that the framework or its runtime does not have, with the reason. The checks that need it are skipped for that reason. */
  readonly lacks?: Partial<Record<BindingNeed, string>>
  /** The harness asks `refuses` of the application before the binding. @default false */
  readonly authenticates?: boolean
}

export interface BindingServer extends Server {
  close(): Promise<void>
}

/** One test of a binding, for any test runner: `run` resolves, or throws an `AssertionError` that says what went wrong. */
export interface BindingCheck {
  readonly id: string
  readonly title: string
  /** Defects of other libraries that this check would have found, as `LIBRARY number`. */
  readonly peers?: readonly string[]
  readonly needs?: readonly BindingNeed[]
  /** Takes a harness that authenticates. */
  readonly authenticated?: boolean
  run(client: BindingClient): Promise<void>
}

/** Why a check does not apply to a binding; `null` where it does. */
export function ruledOutFor(check: BindingCheck, { lacks = {}, authenticates = false }: BindingHarness): string | null {
  const { needs = [], authenticated = false } = check
  if (authenticated && !authenticates) return 'does not apply: the harness asks nobody who they are'
  const missing = needs.find((need) => lacks[need] !== undefined)
  return missing === undefined ? null : `does not apply, no ${missing}: ${lacks[missing]}`
}
