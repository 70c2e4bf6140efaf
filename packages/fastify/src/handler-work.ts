/** The work of a handler that comes after the binding: Fastify calls it, and keeps its promise to itself. */
import type { Working } from '@retryproof/http/node'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { notesOn } from './notes.ts'

export interface HandlerWork {
  /** Gives the work of a handler that has returned a promise which has not settled. */
  working(): Working | undefined
  /** Notes that somebody else has answered: what the handler gives from now on is its own answer. */
  renew(): void
}

const listeners = notesOn<(returned: unknown) => void>('returned')

export function watchHandler(request: FastifyRequest, reply: FastifyReply): HandlerWork {
  let work: Promise<void> | undefined
  let isAwaited = false
  let isRenewed = false
  listeners.set(request, (returned) => {
    if (!(returned instanceof Promise)) return
    work = returned.then(
      (payload: unknown) => {
        work = undefined
        return isRenewed ? afterReturn(reply, payload) : undefined
      },
      () => {
        work = undefined
      },
    )
  })
  watchContext(request)
  onAwait(reply, () => {
    isAwaited = true
  })
  return {
    working: () => (isAwaited || !work ? undefined : { end: work }),
    renew() {
      isRenewed = true
    },
  }
}

/** Resolves when somebody waits for the reply: a handler that gives it as its value has ended, and its promise waits for the answer. */
export function whenAwaited(reply: FastifyReply): Promise<void> {
  return new Promise((resolve) => onAwait(reply, resolve))
}

function onAwait(reply: FastifyReply, awaited: () => void): void {
  const { then } = reply
  const watchedThen: typeof then = (...callbacks) => {
    awaited()
    return then.apply(reply, callbacks)
  }
  // biome-ignore lint/suspicious/noThenProperty: a reply of Fastify has one
  reply.then = watchedThen
}

/** Waits for the answer that Fastify makes of a payload. Without one, Fastify would take a renewed reply for unanswered. */
export function afterReturn(reply: FastifyReply, payload: unknown): Promise<void> | undefined {
  if (payload !== undefined) return new Promise(() => {})
  if (!reply.sent) reply.hijack()
  return undefined
}

interface RouteContext {
  handler(request: FastifyRequest, reply: FastifyReply): unknown
}

const known = new WeakSet<RouteContext>()
let contextSymbol: symbol | undefined

/** Calls the listener of each request with what the handler of the route returned. */
function watchContext(request: FastifyRequest): void {
  contextSymbol ??= Object.getOwnPropertySymbols(request).find((each) => each.description === 'fastify.context')
  const context = contextSymbol && (Reflect.get(request, contextSymbol) as RouteContext | undefined)
  if (!context || known.has(context)) return
  known.add(context)
  const { handler } = context
  const watchedHandler: RouteContext['handler'] = (called, reply) => {
    const returned = handler.call(context, called, reply)
    listeners.get(called)?.(returned)
    return returned
  }
  context.handler = watchedHandler
}
