import type { RouteRequest } from '../app.ts'
import { caseOf, change, reached } from '../cases.ts'
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
  {
    method: 'GET',
    path: '/control/open',
    guard: null,
    handle: (request) => {
      change(idOf(request), (each) => {
        each.isOpen = true
      })
      return { status: 204 }
    },
  },
  {
    method: 'GET',
    path: '/control/time-out',
    guard: null,
    handle: (request) => {
      change(idOf(request), (each) => {
        each.isTimedOut = true
      })
      return { status: 204 }
    },
  },
  {
    method: 'GET',
    path: '/control/access',
    guard: null,
    handle: (request) => {
      change(idOf(request), (each) => {
        each.isRevoked = request.header('x-revoked') === 'true'
      })
      return { status: 204 }
    },
  },
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
