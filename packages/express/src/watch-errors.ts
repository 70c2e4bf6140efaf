/** Errors that handlers pass on: Express hands each to the layers that come after, its error handlers among them. */
import type { Request } from 'express'
import { type Layer, layersOf } from './route-pattern.ts'

const ON_ERROR = Symbol('retryproof.onError')

interface Watched {
  [ON_ERROR]?: (error: unknown) => void
}

type HandleError = (this: Layer, error: unknown, req: object, ...rest: unknown[]) => unknown

/** The method by which a layer is given an error: of Express 5, and of Express 4. */
const methods = ['handleError', 'handle_error'] as const

/** Calls `onError` for each error that is passed on for this request, before an error handler sees it. */
export function watchErrors(req: Request, onError: (error: unknown) => void): void {
  const [layer] = layersOf(req.app)
  if (layer) watchLayers(Object.getPrototypeOf(layer) as Prototype)
  const watched = req as Watched
  const outer = watched[ON_ERROR]
  watched[ON_ERROR] = (error) => {
    onError(error)
    outer?.(error)
  }
}

type Prototype = { [name in (typeof methods)[number]]?: HandleError }

const known = new WeakSet<Prototype>()

function watchLayers(prototype: Prototype): void {
  if (known.has(prototype)) return
  known.add(prototype)
  for (const name of methods) {
    const handleError = prototype[name]
    if (!handleError) continue
    prototype[name] = function (error, req, ...rest) {
      ;(req as Watched)[ON_ERROR]?.(error)
      return handleError.call(this, error, req, ...rest)
    }
  }
}
