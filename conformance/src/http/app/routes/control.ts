import type { RouteRequest } from '../app.ts'
import { type Case, caseOf, change, openGate, reached } from '../cases.ts'
import { isTold } from '../event-log.ts'
import { idOf, type RouteDescription } from './route.ts'

/** Routes by which checks see the state of their case, and let handlers go on. */
export const controlRoutes: readonly RouteDescription[] = [
  {
    method: 'GET',
    path: '/control/case',
    guard: null,
    handle: async (request) => {
      const [runs, departures] = [numberIn(request, 'x-runs'), numberIn(request, 'x-departures')]
      await reached(idOf(request), (each) => each.runs >= runs && each.departures >= departures)
      const { runs: ran } = caseOf(idOf(request))
      return { status: 200, body: { json: { runs: ran, isWritten: await request.isWritten(idOf(request)) } } }
    },
  },
  changing('/control/open', openGate),
  changing('/control/time-out', (each) => {
    each.isTimedOut = true
  }),
  changing('/control/access', (each, request) => {
    each.isRevoked = request.header('x-revoked') === 'true'
  }),
  {
    method: 'GET',
    path: '/control/told',
    guard: null,
    handle: (request) => {
      const isPolluted = 'polluted' in {}
      return { status: 200, body: { json: { isTold: isTold(request.header('x-secret') ?? ''), isPolluted } } }
    },
  },
  {
    method: 'GET',
    path: '/control/memory',
    guard: null,
    handle: () => ({ status: 200, body: { json: { residentBytes: residentBytes() } } }),
  },
]

const numberIn = (request: RouteRequest, name: string) => Number(request.header(name) ?? 0)

function residentBytes(): number | null {
  const { process } = globalThis as { process?: { memoryUsage?: { rss?(): number } } }
  return process?.memoryUsage?.rss?.() ?? null
}

/** Makes a route that changes the state of its case. */
function changing(path: string, act: (each: Case, request: RouteRequest) => void): RouteDescription {
  return {
    method: 'GET',
    path,
    guard: null,
    handle: (request) => {
      change(idOf(request), (each) => act(each, request))
      return { status: 204 }
    },
  }
}
