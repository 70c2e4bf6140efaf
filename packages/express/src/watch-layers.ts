/** Layers behind a guard: Express hands each the errors of those before it. Express 4 drops the promises of handlers. */
import type { NodeBinding } from '@retryproof/http/node'
import type { Application, ErrorRequestHandler, Request } from 'express'
import { watchDropped } from './dropped-promises.ts'
import { type Layer, layersOf } from './route-pattern.ts'

const WATCHED = Symbol('retryproof.watched')

/** The layers behind the guard of one request. */
export interface WatchedLayers {
  /**
   * Gives the work that is not over: promises of handlers, or handlers past which somebody outside has answered by an error.
   * Its end rejects where one of them does.
   */
  working: Required<NodeBinding<never>>['working']
}

type Listeners = Parameters<Required<NodeBinding<never>>['watchErrors']>[0]

interface Watched extends Listeners {
  readonly progress: Progress
}

/** The progress of the layers behind the guards of one request. */
interface Progress {
  /** Promises of handlers that have not settled. */
  readonly work: Set<Promise<unknown>>
  /** Promises that Express 4 has dropped. */
  readonly dropped: Promise<unknown>[]
  /** A layer behind the guard has passed an error on. */
  hasFailed: boolean
  /** Somebody outside has: a time-out, for instance. A handler may be at work, and nobody learns when it ends. */
  isPassedBy: boolean
}

interface WatchedRequest {
  [WATCHED]?: Watched
  /** Members of the response, such as `sendFile` and `render`, pass errors on by it. */
  next?: Next
}

interface Next {
  (error?: unknown): void
  [WATCHED_NEXT]?: Next
}
type HandleError = (this: Layer, error: unknown, req: WatchedRequest, ...rest: unknown[]) => unknown
type HandleRequest = (this: Layer, req: WatchedRequest, res: unknown, next: Next) => unknown
type Handler = (...values: unknown[]) => unknown

/** The methods by which a layer is given an error, and a request: of Express 5, and of Express 4. */
const methods = [
  ['handleError', 'handleRequest'],
  ['handle_error', 'handle_request'],
] as const

/** Calls `onError` for each error that is passed on for this request, before an error handler sees it. */
export function watchErrors(req: Request, { onError, onLost }: Listeners): WatchedLayers {
  watchApplication(req.app)
  const outer = (req as WatchedRequest)[WATCHED]
  const progress: Progress = outer?.progress ?? { work: new Set(), dropped: [], hasFailed: false, isPassedBy: false }
  // what is given from now on is another answer
  progress.isPassedBy = false
  ;(req as WatchedRequest)[WATCHED] = {
    progress,
    onError(error) {
      onError(error)
      outer?.onError(error)
    },
    onLost(error) {
      onLost(error)
      outer?.onLost(error)
    },
  }
  return {
    async working() {
      // at once, since what a timer aborts may settle in this turn
      if (progress.work.size > 0) return { end: endOf([...progress.work, ...progress.dropped.splice(0)]) }
      for (const each of progress.dropped.splice(0)) noteWork(progress, each)
      // those that have settled are over after this turn
      await undefined
      if (progress.work.size > 0) return { end: endOf(progress.work) }
      return progress.isPassedBy ? { end: new Promise(() => {}) } : undefined
    },
  }
}

function endOf(work: Iterable<Promise<unknown>>): Promise<void> {
  const end = Promise.allSettled(work).then((ends) => {
    for (const each of ends) if (each.status === 'rejected') throw each.reason
  })
  // not everybody who asks waits for it
  end.catch(() => {})
  return end
}

type Prototype = { [name in (typeof methods)[number][0]]?: HandleError } & {
  [name in (typeof methods)[number][1]]?: HandleRequest
}

const knownApplications = new WeakSet<object>()
const known = new WeakSet<Prototype>()

type Mounted = Application & { readonly parent?: Application }

function watchApplication(application: Mounted): void {
  if (knownApplications.has(application)) return
  knownApplications.add(application)
  const [layer] = layersOf(application)
  if (layer) watchPrototype(Object.getPrototypeOf(layer) as Prototype)
  if (application.parent) watchApplication(application.parent)
  else application.use(passOn)
}

/** Stands last in an application: without an error handler Express would tell nobody of an error but its client. */
const passOn: ErrorRequestHandler = (error, _req, _res, next) => next(error)

function watchPrototype(prototype: Prototype): void {
  if (known.has(prototype)) return
  known.add(prototype)
  for (const [onError, onRequest] of methods) {
    const { [onError]: handleError, [onRequest]: handleRequest } = prototype
    if (!handleError || !handleRequest) continue
    const watchError: HandleError = function (error, req, ...rest) {
      const { [WATCHED]: watched } = req
      if (watched) {
        if (!watched.progress.hasFailed) watched.progress.isPassedBy = true
        watched.onError(error)
      }
      return handleError.call(this, error, req, ...rest)
    }
    const watchRequest: HandleRequest = function (req, res, next) {
      const { [WATCHED]: watched } = req
      const handler = this.handle as unknown as Handler
      // one of four parameters is an error handler, which Express passes by
      if (!watched || handler.length > 3) return handleRequest.call(this, req, res, next)
      const noted = (...values: unknown[]) => {
        const returned = handler(...values)
        if (!(returned instanceof Promise)) return returned
        if (onRequest === 'handleRequest') noteWork(watched.progress, returned)
        else noteDropped(watched, returned)
        return returned
      }
      // assigned, since a descriptor costs ten times as much
      const layer = Object.create(this) as { handle: unknown } & Layer
      layer.handle = noted
      if (req.next) req.next = watchNext(req, req.next)
      return handleRequest.call(layer, req, res, watchNext(req, next))
    }
    prototype[onError] = watchError
    prototype[onRequest] = watchRequest
  }
}

/** On the function itself, since a WeakMap of the layers of all requests would cost each garbage collection more. */
const WATCHED_NEXT = Symbol('retryproof.next')

/** Notes errors that are passed on. Gives the same function each time, so that a layer may compare it with `req.next`. */
function watchNext(req: WatchedRequest, next: Next): Next {
  if (next[WATCHED_NEXT]) return next[WATCHED_NEXT]
  const watchedNext: Next = (error) => {
    const { [WATCHED]: watched } = req
    if (watched && error && error !== 'route' && error !== 'router') watched.progress.hasFailed = true
    next(error)
  }
  next[WATCHED_NEXT] = watchedNext
  // what `req.next` has already, is not watched again
  watchedNext[WATCHED_NEXT] = watchedNext
  return watchedNext
}

function noteWork({ work }: Progress, returned: Promise<unknown>): void {
  const isOver = () => void work.delete(returned)
  work.add(returned)
  returned.then(isOver, isOver)
}

function noteDropped({ progress, onLost }: Watched, returned: Promise<unknown>): void {
  progress.dropped.push(returned)
  watchDropped(returned, onLost)
}
