import type { Answer, RouteRequest } from '../app.ts'
import { caseOf, change, reached } from '../cases.ts'
import { created, gate, idOf, type RouteDescription, run, waits } from './route.ts'

/** Handlers that take their time, so that others arrive or clients leave meanwhile. */
export const waitingRoutes: readonly RouteDescription[] = [
  { path: '/gated', handle: gated },
  { path: '/patient', guard: waits, handle: (request) => created(run(request)) },
  { path: '/awaited', guard: waits, handle: gated },
  { path: '/timed', timeout: timedOut, handle: gated },
  {
    path: '/timed-failure',
    timeout: timedOut,
    handle: async (request) => {
      const answer = await gated(request)
      if (caseOf(idOf(request)).runs === 1) throw new Error('nobody is there')
      return answer
    },
  },
  {
    path: '/timed-kept',
    timeout: timedOut,
    handle: async (request) => {
      const { writeHead, write, end } = request.response ?? {}
      const runs = run(request)
      await gate(request)
      return {
        status: 201,
        raw(response) {
          writeHead?.call(response, 201, { 'Content-Type': 'application/json' })
          write?.call(response, '{"runs":', 'utf8', undefined)
          end?.call(response, `${runs}}`, 'utf8')
        },
      }
    },
  },
  {
    path: '/abandoned',
    guard: waits,
    handle: async (request) => {
      const runs = run(request)
      await clientLeft(request)
      return { status: 201, body: { json: { runs } } }
    },
  },
  {
    path: '/abandoned-failure',
    guard: waits,
    handle: async (request) => {
      const runs = run(request)
      if (runs > 1) return { status: 201, body: { json: { runs } } }
      await clientLeft(request)
      throw new Error('nobody is there')
    },
  },
]

async function gated(request: RouteRequest): Promise<Answer> {
  const runs = run(request)
  await gate(request)
  return { status: 201, body: { json: { runs } } }
}

async function clientLeft(request: RouteRequest): Promise<void> {
  await request.clientGone()
  change(idOf(request), (each) => each.departures++)
}

/** Runs out once: a request that comes afterwards has all the time that it takes. */
function timedOut(id: string): Promise<void> {
  if (caseOf(id).isTimedOut) return new Promise(() => {})
  return reached(id, ({ isTimedOut }) => isTimedOut)
}
