/** Describes routes, in the words of no framework. */
import type { HttpOptions } from '@retryproof/http'
import type { Answer, Route, RouteRequest } from '../app.ts'
import type { BusinessWrites } from '../business-writes.ts'
import { caseOf, change, reached } from '../cases.ts'

/** Options of `idempotent`, and on which instance it is called. */
export interface RouteOptions
  extends Pick<
    HttpOptions<object>,
    | 'lease'
    | 'maxRun'
    | 'methods'
    | 'onInProgress'
    | 'operation'
    | 'record'
    | 'required'
    | 'respond'
    | 'storeRequest'
    | 'syntax'
    | 'transaction'
  > {
  /** `'unreachable'`: its store answers nothing. `'unrecording'`: it begins, and records nothing. `'slow'`: it records late. @default 'given' */
  readonly store?: 'given' | 'unreachable' | 'unrecording' | 'slow'
  /** The scope is the user, whom `X-User` names; else there is none. */
  readonly byUser?: boolean
  /** Its functions throw what a request asks for in `X-Throws`. */
  readonly throwsAsAsked?: boolean
  /** Gives the scope that a request asks for in `X-Scope`, or throws at once what it asks for in `X-Throws`. */
  readonly scopeAsAsked?: boolean
}

export interface RouteDescription extends Partial<Pick<Route<never>, 'method' | 'prefix' | 'compression' | 'timeout'>> {
  readonly path: string
  /** `null`: not guarded. @default {} */
  readonly guard?: RouteOptions | null
  /** Another guard in front of that one. */
  readonly outer?: RouteOptions
  handle(request: RouteRequest & BusinessWrites): Answer | Promise<Answer>
}

/** Duplicates wait for the first. */
export const waits = { onInProgress: { wait: '30s' } } as const

export const utf8 = new TextEncoder()

export const idOf = (request: RouteRequest) => request.header('x-case') ?? ''

/** Notes a run, and says which one it is. */
export function run(request: RouteRequest): number {
  change(idOf(request), (each) => each.runs++)
  return caseOf(idOf(request)).runs
}

/** Resolves when the check lets its handlers go on. */
export function gate(request: RouteRequest): Promise<void> {
  return reached(idOf(request), ({ isOpen }) => isOpen)
}

/** A route whose handler answers at once, and always the same but for the number of its run. */
export function answers(
  path: string,
  answer: (runs: number) => Answer,
  others: Partial<RouteDescription> = {},
): RouteDescription {
  return { path, handle: (request) => answer(run(request)), ...others }
}

/** Some chunks, and others once `then` has resolved; fails as it fails. */
export async function* chunksOf(
  first: readonly Uint8Array[],
  then: Promise<unknown> = Promise.resolve(),
  others: readonly Uint8Array[] = [],
): AsyncGenerator<Uint8Array> {
  // told to whoever reads on, and to nobody if nobody does
  then.catch(() => undefined)
  yield* first
  await then
  yield* others
}

export const created = (runs: number): Answer => ({
  status: 201,
  headers: [
    ['Location', `/charges/${runs}`],
    ['X-Own', 'kept'],
    ['Link', '</a>; rel="a"'],
    ['Link', '</b>; rel="b"'],
  ],
  body: { json: { runs, name: 'Zoë' } },
})
